package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// modelFiles chooses config.json, the weights and the tokenizer.
func modelFiles(names []string, read reader) (take, skip []string, err error) {
	have := func(name string) bool { return slices.Contains(names, name) }
	if !have("config.json") {
		return nil, nil, errors.New("it has no config.json, so it is not a model")
	}
	take = []string{"config.json"}
	switch {
	case have("tokenizer.json"):
		take = append(take, "tokenizer.json")
	case have("vocab.json") && have("merges.txt"):
		take = append(take, "vocab.json", "merges.txt")
	default:
		return nil, nil, errors.New("it has neither tokenizer.json nor vocab.json with merges.txt")
	}
	for _, name := range []string{"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"} {
		if have(name) {
			take = append(take, name)
		}
	}
	for _, weights := range []string{"model.safetensors", "pytorch_model.bin"} {
		index := weights + ".index.json"
		switch {
		case have(weights):
			return append(take, weights), nil, nil
		case have(index):
			shards, err := shardsOf(index, names, read)
			return append(append(take, index), shards...), nil, err
		}
	}
	return nil, nil, fmt.Errorf("it has no weights in model.safetensors or pytorch_model.bin, only %s", strings.Join(names, ", "))
}

func shardsOf(index string, names []string, read reader) ([]string, error) {
	raw, err := read(index)
	if err != nil {
		return nil, err
	}
	var f struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, fmt.Errorf("%s: %w", index, err)
	}
	shards := slices.Compact(slices.Sorted(maps.Values(f.WeightMap)))
	if len(shards) == 0 {
		return nil, fmt.Errorf("%s: weight_map is empty", index)
	}
	for _, name := range shards {
		if !slices.Contains(names, name) || !filepath.IsLocal(filepath.FromSlash(name)) {
			return nil, fmt.Errorf("%s names %q, which is not there", index, name)
		}
	}
	return shards, nil
}

// Formats of data files, the preferred one first: parquet has types, JSON lines can be nothing but records.
var dataFormats = []string{".parquet", ".jsonl", ".ndjson", ".json"}

// Files that describe data sets, models and packages.
var notData = map[string]bool{
	"dataset_info.json": true, "dataset_infos.json": true, "dataset_dict.json": true, "state.json": true,
	"config.json": true, "package.json": true, "metadata.json": true, "croissant.json": true,
}

var (
	wordBreak = regexp.MustCompile(`[^a-z]+`) // train1 is train, as in the library datasets
	shardOf   = regexp.MustCompile(`^(.*)-(\d{5})-of-(\d{5})`)
	trainName = map[string]bool{"train": true, "training": true}
	otherName = map[string]bool{"test": true, "testing": true, "valid": true, "validation": true, "val": true,
		"dev": true, "eval": true, "evaluation": true}
)

// DataFiles chooses from the names of a data set's files (slashes between folders) those to train on, sorted: the
// train split where a name has that word, else all that are no other split; and of several formats one (parquet
// before JSON lines before a JSON array), since the others repeat the records. skip lists the data files left out.
// Files in several folders are an error, as they are several data sets; so are shards (-00000-of-00002) of several
// splits none of which is train itself, shards of which one is missing, and no data file at all.
func DataFiles(names []string) (take, skip []string, err error) {
	var train, plain, all []string
	for _, name := range slices.Sorted(slices.Values(names)) {
		if formatOf(name) < 0 || notData[strings.TrimSuffix(path.Base(name), ".gz")] || hidden(name) {
			continue
		}
		all = append(all, name)
		words := wordBreak.Split(strings.ToLower(name), -1)
		switch {
		case slices.ContainsFunc(words, func(w string) bool { return trainName[w] }):
			train = append(train, name)
		case !slices.ContainsFunc(words, func(w string) bool { return otherName[w] }):
			plain = append(plain, name)
		}
	}
	take = train
	if len(take) == 0 {
		take = plain
	}
	if len(take) == 0 && len(all) == 0 {
		return nil, nil, errors.New("it has no data files: *.parquet, *.jsonl or *.json, plain or .gz")
	}
	if len(take) == 0 {
		return nil, nil, fmt.Errorf("it has no train split, only %s: give the path of one file", strings.Join(all, ", "))
	}
	take = oneFormat(take)
	for _, name := range take[1:] {
		if path.Dir(name) != path.Dir(take[0]) {
			return nil, nil, fmt.Errorf("it holds several data sets, %s and %s: give the path of one", take[0], name)
		}
	}
	if take, err = oneSplit(take); err != nil {
		return nil, nil, err
	}
	if err := shardsWhole(take); err != nil {
		return nil, nil, err
	}
	for _, name := range all {
		if !slices.Contains(take, name) {
			skip = append(skip, name)
		}
	}
	return take, skip, nil
}

// formatOf returns the index in dataFormats, or -1.
func formatOf(name string) int {
	return slices.Index(dataFormats, path.Ext(strings.TrimSuffix(name, ".gz")))
}

func hidden(name string) bool {
	return strings.HasPrefix(name, ".") || strings.Contains(name, "/.")
}

// oneFormat keeps the files of the preferred format, and only the plain one of a file that is there both plain and gzipped.
func oneFormat(names []string) []string {
	best := len(dataFormats)
	for _, name := range names {
		best = min(best, formatOf(name))
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		bare := strings.TrimSuffix(name, ".gz")
		return formatOf(name) != best || bare != name && slices.Contains(names, bare)
	})
}

// oneSplit keeps train's files where there are shards of several train splits (train_sft-00000-of-00001), which often hold the
// same records. As in the library datasets, shards whose names say nothing of a split (de-00000-of-00001) are splits in a folder
// called data, and belong together elsewhere.
func oneSplit(names []string) ([]string, error) {
	splits := map[string][]string{}
	for _, name := range names {
		m := shardOf.FindStringSubmatch(path.Base(name))
		if m != nil && (path.Base(path.Dir(name)) == "data" || slices.ContainsFunc(wordBreak.Split(strings.ToLower(m[1]), -1), func(w string) bool { return trainName[w] })) {
			splits[m[1]] = append(splits[m[1]], name)
		}
	}
	switch {
	case len(splits) < 2:
		return names, nil
	case splits["train"] != nil:
		return splits["train"], nil
	}
	return nil, fmt.Errorf("it holds several train splits: %s: put the files of one into a folder of their own and give that",
		strings.Join(slices.Sorted(maps.Keys(splits)), ", "))
}

func shardsWhole(names []string) error {
	count := map[string]int{}
	for _, name := range names {
		if m := shardOf.FindStringSubmatch(path.Base(name)); m != nil {
			count[m[1]+"-*-of-"+m[3]]++
		}
	}
	for pattern, n := range count {
		if want, _ := strconv.Atoi(pattern[len(pattern)-5:]); n != want {
			return fmt.Errorf("of the shards %s there are %d, not %d", pattern, n, want)
		}
	}
	return nil
}
