package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
)

// Decode stores the fields of a JSON object in the struct that v points to, by the names of its tags, and returns the
// other fields. Unlike encoding/json it is case-sensitive, as Python is, and refuses a duplicate key.
func Decode(data []byte, v any) (others map[string]json.RawMessage, err error) {
	if err := json.Unmarshal(data, &others); err != nil {
		return nil, err
	}
	if key, err := duplicateKey(data); err != nil {
		return nil, err
	} else if key != "" {
		return nil, fmt.Errorf("%s is there twice", key)
	}
	s := reflect.ValueOf(v).Elem()
	for i := range s.NumField() {
		name, _, _ := strings.Cut(s.Type().Field(i).Tag.Get("json"), ",")
		value, ok := others[name]
		if !ok || name == "" { // a field without a tag is not read, though a key may be empty
			continue
		}
		delete(others, name)
		if err := json.Unmarshal(value, s.Field(i).Addr().Interface()); err != nil {
			return nil, fmt.Errorf("%s is %s: %w", name, value, err)
		}
	}
	return others, nil
}

// duplicateKey returns the path (such as "weight_map"."a") of the first key
// that an object in data has twice, or "" for none. encoding/json lets the last
// one win silently, which would hide a forged or wrongly merged header.
func duplicateKey(data []byte) (string, error) {
	type level struct {
		seen map[string]bool // nil in an array
		key  string          // the key whose value comes next, if inKey is false
		need bool            // a key comes next
	}
	var stack []level
	value := func() { // a value has ended
		if n := len(stack); n > 0 && stack[n-1].seen != nil {
			stack[n-1].need = true
		}
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		switch v := tok.(type) {
		case json.Delim:
			switch v {
			case '{':
				stack = append(stack, level{seen: map[string]bool{}, need: true})
			case '[':
				stack = append(stack, level{})
			default:
				stack = stack[:len(stack)-1]
				value()
			}
		case string:
			n := len(stack)
			if n == 0 || !stack[n-1].need {
				value()
				continue
			}
			top := &stack[n-1]
			top.key, top.need = v, false
			if top.seen[v] {
				var path []string
				for _, l := range stack {
					path = append(path, strconv.Quote(l.key))
				}
				return strings.Join(path, "."), nil
			}
			top.seen[v] = true
		default:
			value()
		}
	}
}
