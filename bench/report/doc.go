// Package report is what a person looks at after a benchmark: the run summary as
// Markdown, the figures as SVG and PNG, and one self-contained page with the verdict, the tables, the
// figures and what they say in words. The command is lorareport.
//
// Everything is computed from run records (package record) and their analysis (package compare).
// What was not measured is a dash with a footnote, never 0; a sentence or a figure that lacks a number
// is left out.
package report
