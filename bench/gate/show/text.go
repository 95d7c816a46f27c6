package show

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"lorabench/bench/format"
	"lorabench/bench/gate/judge"
)

// fewItems is the number of items printed of a section unless all are asked for.
const fewItems = 20

// Text formats the verdict for a terminal: its sentences, the findings, then a table of everything that was judged. Long lists are cut and
// say so. With all nothing is cut, and the table also has what was not judged.
func Text(v *judge.Verdict, all bool) string {
	w := new(strings.Builder)
	fmt.Fprintln(w, verdict(v))
	list(w, findings(v), all)
	t, left := table(v, all)
	if len(t.Rows) > 0 {
		fmt.Fprintln(w)
		if v.Status == judge.Unusable {
			fmt.Fprint(w, "What could be compared, which decides nothing:\n\n")
		}
		_ = t.Text(w) // writing into memory cannot fail
	}
	if left > 0 {
		fmt.Fprintf(w, "\n%s not shown: -v shows them\n", format.Count(left, "result"))
	}
	list(w, remarks(v), all)
	return w.String()
}

// list prints the heading and items of each section that has any.
func list(w io.Writer, sections []section, all bool) {
	for _, s := range sections {
		if s.items != nil {
			fmt.Fprintf(w, "\n%s\n", s.heading)
		}
		for i, it := range s.items {
			if i == fewItems && !all {
				fmt.Fprintf(w, "  … and %s more: -v shows them\n", format.Whole(len(s.items)-i))
				break
			}
			fmt.Fprintf(w, "  %s\n", strings.Join(it.lines, "\n    "))
		}
	}
}

// Markdown formats the verdict for a job's summary or a pull request's comment, with the text in a code block, folded away when all is
// well. In a code block no text from a file becomes markup or a mention.
func Markdown(v *judge.Verdict) string {
	w := new(strings.Builder)
	first := format.Escape(verdict(v))
	if v.Status == judge.Pass {
		fmt.Fprintf(w, "✓ **Gate:** %s\n\n<details><summary>%s</summary>\n", first, format.Count(len(v.Results), "result"))
	} else {
		fmt.Fprintf(w, "### ✗ Gate: %s\n\n%s\n", v.Status, first)
	}
	_, rest, _ := strings.Cut(Text(v, false), "\n")
	fence := "```"
	for strings.Contains(rest, fence) {
		fence += "`"
	}
	fmt.Fprintf(w, "\n%stext\n%s\n%s\n", fence, strings.TrimSpace(rest), fence)
	if v.Status == judge.Pass {
		fmt.Fprint(w, "\n</details>\n")
	}
	return w.String()
}

// fewAnnotations is the number written of a section: GitHub keeps ten of each level and step, and the text has all.
const fewAnnotations = 10

// Annotations formats workflow commands for GitHub, a line each: an error for what is worse or unusable (at its file and line), a warning
// for what cannot be told, a notice for what is better, new or not judged. If there is nothing to say it returns "".
//
// The format is from GitHub's "Workflow commands for GitHub Actions", the escapes from actions/toolkit, packages/core/src/command.ts.
func Annotations(v *judge.Verdict) string {
	w := new(strings.Builder)
	sections := append(findings(v), remarks(v)...)
	level := map[judge.Status]string{judge.Worse: "error", judge.Unusable: "error", judge.CannotTell: "warning"}[v.Status]
	if !slices.ContainsFunc(sections, func(s section) bool { return s.level == level && s.items != nil }) { // no failure is silent
		sections = append(sections, section{v.Status.String(), level, items([]string{verdict(v)}, Line)})
	}
	for _, s := range slices.DeleteFunc(sections, func(s section) bool { return s.level == "" }) {
		for _, it := range s.items[:min(len(s.items), fewAnnotations)] {
			at := ""
			if it.file != "" {
				at = "file=" + property.Replace(it.file) + ","
				if it.line > 0 {
					at += fmt.Sprintf("line=%d,", it.line)
				}
			}
			fmt.Fprintf(w, "::%s %stitle=%s::%s\n", s.level, at, property.Replace("Gate: "+strings.ToLower(s.heading)),
				data.Replace(cmp.Or(strings.Join(it.lines, "\n"), s.heading)))
		}
	}
	return w.String()
}

var (
	data     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// Schema is the version of the JSON. Adding fields keeps it; removing one or changing its meaning needs a new version.
const Schema = "lorabench-gate/2"

// JSON encodes judge.Verdict for programs, its fields in snake_case, beside "schema" and "exit_status" (0 to 3: the command's own). Every
// field is always present: lists may be empty, and a figure that does not exist is null.
func JSON(v *judge.Verdict) string {
	all := fit(reflect.ValueOf(*v)).(map[string]any)
	all["schema"], all["status"], all["exit_status"] = Schema, v.Status.String(), int(v.Status)
	var text strings.Builder
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(all) // every kind of value is one that JSON has
	// Printed into GitHub's log, ##[ begins a command wherever it stands. In JSON it is in strings only.
	return strings.ReplaceAll(text.String(), "##[", `##\u005b`)
}

var capital = regexp.MustCompile(`\B[A-Z]`)

// fit converts a value for JSON: numbers that are not finite become null, nil lists empty ones.
func fit(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Float64:
		if !format.Finite(v.Float()) {
			return nil
		}
	case reflect.Pointer:
		return fit(v.Elem())
	case reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = fit(v.Index(i))
		}
		return list
	case reflect.Struct:
		fields := map[string]any{}
		for f, value := range v.Fields() {
			if f.IsExported() {
				fields[strings.ToLower(capital.ReplaceAllString(f.Name, "_$0"))] = fit(value)
			}
		}
		return fields
	}
	return v.Interface()
}
