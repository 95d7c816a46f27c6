package show

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strings"

	"lorabench/bench/format"
	"lorabench/bench/gate/judge"
)

// Schema names the form of the JSON. Fields are added without a new name; none changes its meaning or goes without one.
const Schema = "lorabench-gate/2"

// JSON writes judge.Verdict for programs, its fields in snake_case, beside "schema" and "exit_status" (0 to 3: the command's own).
// Every field is always there: lists may be empty, and a figure that does not exist is null.
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

// fit is a value as JSON can have it: no number that is none, and no list that is nil.
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
