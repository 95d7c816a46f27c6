// Lorareport reads the run records that the benchmark wrote into a folder, prints the run summary and
// the verdict, and writes the page, report.html, its figures and summary.md beside them.
//
//	go run ./bench/report/lorareport -out=out
//
// Given folders it merges the records in them, and in the parts of a study (-shard) that they hold:
//
//	go run ./bench/report/lorareport -out=all node1 node2
//
// Given benchmark result files it says what they support instead, and writes nothing:
//
//	go run ./bench/report/lorareport testdata/study/bench.txt
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"lorabench/bench/compare"
	"lorabench/bench/record"
	"lorabench/bench/report"
	"lorabench/bench/results"
	"lorabench/bench/table"
	"lorabench/internal/shard"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run runs the command and returns 0 for a report, 1 for records that allow none, 2 for wrong flags.
func run(args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("lorareport", flag.ContinueOnError)
	fs.SetOutput(stderr)
	out := fs.String("out", "out", "`folder` into which the report is written; of its records, and of its parts', unless others are given")
	o := compare.Options{Margin: compare.Margin{Part: 0.05}}
	fs.Var(&o.Margin, "margin", "how much higher than the best a held-out loss may be and still be as good: "+
		"a part of what training gained, or of the loss (1%loss)")
	fs.Float64Var(&o.Alpha, "level", 0.05, "how often a comparison without a difference may be called one; intervals are of 1 - level")
	fs.Func("differ", "`settings` that may differ between results, such as gpu,commit: their figures are then compared all the same", func(v string) error {
		o.Differ = strings.Split(strings.ReplaceAll(v, " ", ""), ",")
		return nil
	})
	width := fs.Int("width", table.Width, "columns of the terminal")
	err, status := fs.Parse(args), 2
	switch {
	case err == flag.ErrHelp:
		return 0
	case err != nil:
		return 2 // it is printed already
	case !(o.Alpha > 0 && o.Alpha < 0.5):
		err = fmt.Errorf("-level is %v, want more than 0 and below 0.5", o.Alpha)
	case *width < 40:
		err = fmt.Errorf("-width is %d, want at least 40", *width)
	case fs.NArg() > 0 && !isFolder(fs.Arg(0)):
		err, status = files(fs.Args(), o, stdout), 1
	default:
		dirs := fs.Args()
		if len(dirs) == 0 {
			dirs = []string{*out}
		}
		err, status = write(*out, dirs, o, *width, stdout), 1
	}
	if err != nil {
		fmt.Fprintln(stderr, "lorareport:", err)
		return status
	}
	return 0
}

// files reports on result files, which have no steps and no memory by category.
func files(paths []string, o compare.Options, stdout io.Writer) error {
	a, err := compare.Analyze(results.Read(paths...), o)
	if err != nil {
		return err
	}
	return a.WriteText(stdout)
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// write reports on the records in dirs, on the terminal and in dir.
func write(dir string, dirs []string, o compare.Options, width int, stdout io.Writer) (err error) {
	var rs []*record.Record
	if rs, o.Notes, err = shard.Merge(dirs); err != nil {
		return err
	}
	a, err := report.Write(dir, rs, o)
	if err != nil {
		return err
	}
	if err := table.WriteSummary(stdout, rs, width); err != nil {
		return err
	}
	return report.WriteVerdict(stdout, a, filepath.Join(dir, "report.html"), width)
}
