// Package record is what is written down of a run: every setting, every step, every figure, with exact
// values. It knows no tensor, so that comparing, reporting and judging results needs no libtorch.
package record
