package lora

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// pattern is an entry of rank_pattern or alpha_pattern.
type pattern struct {
	expression *regexp.Regexp
	value      float64
}

// parseModules reads the fields by which PEFT chooses modules and gives some of them a rank or an alpha of their own.
func (c *PEFTConfig) parseModules(p peftFields) error {
	target, list, err := parseNames("target_modules", p.TargetModules)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return fmt.Errorf("target_modules is missing or empty, want names of modules, an expression or all-linear")
	}
	exclude, _, err := parseNames("exclude_modules", p.ExcludeModules)
	if err != nil {
		return err
	}
	inLayers, err := parseLayers(p)
	if err != nil {
		return err
	}
	c.Targets, c.listed = list, isList(p.TargetModules) && empty(p.ExcludeModules) && empty(p.LayersToTransform)
	c.adapts = func(module string) bool {
		// A module that the list has by its whole name is adapted in any layer.
		return !exclude(module) && target(module) && (slices.Contains(list, module) || inLayers(module))
	}
	if isList(p.TargetModules) || !IsAllLinear(list[0]) { // all-linear leaves the head out
		for _, name := range []string{"lm_head", "model.embed_tokens", "model.decoder.embed_tokens", "model.decoder.embed_positions"} {
			if c.adapts(name) {
				return fmt.Errorf("target_modules has %s: adapters on the head or the embeddings are not supported", name[strings.LastIndex(name, ".")+1:])
			}
		}
	}
	if c.ranks, err = parsePatterns("rank_pattern", p.RankPattern); err == nil {
		c.alphas, err = parsePatterns("alpha_pattern", p.AlphaPattern)
	}
	return err
}

func isList(raw json.RawMessage) bool { return bytes.HasPrefix(raw, []byte("[")) }

// parseNames reads a list of names, or endings of them, or a lone string: an expression that matches whole names, or all-linear.
func parseNames(field string, raw json.RawMessage) (has func(module string) bool, list []string, err error) {
	if empty(raw) {
		return func(string) bool { return false }, nil, nil
	}
	if list, err = oneOrMore[string](field, raw); err != nil {
		return nil, nil, err
	}
	if isList(raw) {
		return func(module string) bool {
			return slices.ContainsFunc(list, func(t string) bool { return matches(module, t) })
		}, list, nil
	}
	if IsAllLinear(list[0]) && field == "target_modules" {
		return func(string) bool { return true }, list, nil
	}
	e, err := expression(field, "^(?:", list[0], ")$")
	return e.MatchString, list, err
}

// parseLayers reads layers_to_transform and layers_pattern: in which layers modules are adapted. Without a pattern a layer's
// number is the first in a name that stands between dots, behind at least one other part.
func parseLayers(p peftFields) (in func(module string) bool, err error) {
	if empty(p.LayersToTransform) {
		if !empty(p.LayersPattern) {
			return nil, fmt.Errorf("layers_pattern is %s without layers_to_transform: PEFT refuses that too", p.LayersPattern)
		}
		return func(string) bool { return true }, nil
	}
	if !isList(p.TargetModules) {
		return nil, fmt.Errorf("layers_to_transform is %s and target_modules no list: PEFT refuses that too", p.LayersToTransform)
	}
	layers, err := oneOrMore[int]("layers_to_transform", p.LayersToTransform)
	if err != nil {
		return nil, err
	}
	list, before := []string{`[^.]*`}, `^.*?\.`
	if !empty(p.LayersPattern) {
		before = `^(?:^|.*?\.)`
		if list, err = oneOrMore[string]("layers_pattern", p.LayersPattern); err != nil {
			return nil, err
		}
	}
	var es []*regexp.Regexp
	for _, l := range list {
		e, err := expression("layers_pattern", "^(?:"+before[1:], l, `\.(?P<idx>\d+)\.)`)
		if err != nil {
			return nil, err
		}
		es = append(es, e)
	}
	return func(module string) bool {
		for _, e := range es {
			if found := e.FindStringSubmatch(module); found != nil {
				n, err := strconv.Atoi(found[e.SubexpIndex("idx")])
				return err == nil && slices.Contains(layers, n)
			}
		}
		return false
	}, nil
}

func oneOrMore[T any](field string, raw json.RawMessage) (list []T, err error) {
	if json.Unmarshal(raw, &list) != nil {
		list = make([]T, 1)
		err = json.Unmarshal(raw, &list[0])
	}
	if err != nil {
		return nil, fmt.Errorf("%s is %s: %w", field, raw, err)
	}
	return list, nil
}

// parsePatterns reads an object of numbers in its order: of several expressions that match a module the first counts.
func parsePatterns(field string, raw json.RawMessage) (ps []pattern, err error) {
	if empty(raw) {
		return nil, nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, _ := dec.Token(); t != json.Delim('{') {
		return nil, fmt.Errorf("%s is %s, want names and numbers", field, raw)
	}
	for dec.More() {
		t, _ := dec.Token()
		key := t.(string)
		var v float64
		if err := dec.Decode(&v); err != nil || !(v > 0) || field == "rank_pattern" && v != float64(int32(v)) {
			return nil, fmt.Errorf("%s has no positive number for %q, or for a rank no whole one: %s", field, key, raw)
		}
		e, err := expression(field, `^(?:(?:.*\.)?(?:`, key, `)$)`)
		if err != nil {
			return nil, err
		}
		ps = append(ps, pattern{e, v})
	}
	return ps, nil
}

// expression compiles a Python regular expression with what PEFT puts around it. What Go's regexp lacks, such as
// look-ahead, or reads differently, such as {,n} and [[:digit:]], is refused.
func expression(field, before, written, after string) (*regexp.Regexp, error) {
	_, err := regexp.Compile(written) // alone, since it might close what stands around it
	if err == nil && (strings.Contains(written, "{,") || strings.Contains(written, "[:")) {
		err = fmt.Errorf("{, and [: mean something else in Python")
	}
	if err != nil {
		return nil, fmt.Errorf("%s has the expression %q, which is not supported (%w): list the modules by name", field, written, err)
	}
	return regexp.Compile(before + written + after)
}

// On returns the adapter that the file describes on a model with these linear layers, given by their names. Modules that the file
// chooses by more than a list are listed by their whole names; names that the model does not have are left out, as PEFT does.
func (c PEFTConfig) On(layers []string) (Config, error) {
	own := c.Config
	own.Overrides = map[string]Override{}
	for _, l := range layers {
		if !c.adapts(l) {
			continue
		}
		names := []string{l}
		if c.listed {
			names = slices.DeleteFunc(slices.Clone(c.Targets), func(t string) bool { return !matches(l, t) })
		}
		own.TargetModules = append(own.TargetModules, names...)
		o := Override{int(first(c.ranks, l, float64(c.R))), first(c.alphas, l, c.LoraAlpha)}
		if o != (Override{c.R, c.LoraAlpha}) {
			own.Overrides[l] = o
		}
	}
	if len(own.TargetModules) == 0 {
		return Config{}, fmt.Errorf("target_modules %s leaves no linear layer of the model", strings.Join(c.Targets, ","))
	}
	slices.Sort(own.TargetModules)
	own.TargetModules = slices.Compact(own.TargetModules)
	if len(own.Overrides) == 0 {
		own.Overrides = nil
	}
	return own, nil
}

// first returns the value of the first pattern that matches the module, else otherwise.
func first(ps []pattern, module string, otherwise float64) float64 {
	for _, p := range ps {
		if p.expression.MatchString(module) {
			return p.value
		}
	}
	return otherwise
}
