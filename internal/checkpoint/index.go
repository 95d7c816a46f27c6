package checkpoint

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// parseIndex reads an index file's weight_map: tensor name to shard file.
func parseIndex(data []byte) (map[string]string, error) {
	if err := notWeights(data); err != nil {
		return nil, err
	}
	if !utf8.Valid(data) {
		return nil, fmt.Errorf("the index is not UTF-8")
	}
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if _, err := Decode(data, &index); err != nil {
		return nil, fmt.Errorf("the index is not as save_pretrained writes it: %w", err)
	}
	if len(index.WeightMap) == 0 {
		return nil, fmt.Errorf("weight_map is missing or empty")
	}
	for _, name := range slices.Sorted(maps.Keys(index.WeightMap)) {
		shard := index.WeightMap[name]
		if !filepath.IsLocal(shard) || shard != filepath.Clean(shard) || shard == "." {
			return nil, fmt.Errorf("weight_map puts tensor %q in %q: a shard must be a file inside the index's folder", name, shard)
		}
		if strings.HasSuffix(shard, ".json") {
			return nil, fmt.Errorf("weight_map puts tensor %q in %q, which is not a weights file", name, shard)
		}
	}
	return index.WeightMap, nil
}

// addIndex maps an index file and all its shards. A tensor that a shard holds
// and the index does not list is kept, as transformers does: the model decides
// whether it belongs.
func (f *File) addIndex(path string) error {
	m, err := mapFile(path)
	if err != nil {
		return err
	}
	f.mapped = append(f.mapped, m)
	weightMap, err := parseIndex(m.data)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	shards := slices.Compact(slices.Sorted(maps.Values(weightMap)))
	home := map[string]string{} // tensor name to the shard that holds it
	for _, shard := range shards {
		p, err := f.load(filepath.Join(filepath.Dir(path), shard))
		if err != nil {
			return fmt.Errorf("%s: shard %s: %w", path, shard, err)
		}
		for name, load := range p.tensors {
			if first, ok := home[name]; ok {
				return fmt.Errorf("%s: tensor %q is in two shards, %s and %s", path, name, first, shard)
			}
			home[name] = shard
			f.tensors[name] = load
		}
	}
	for _, name := range slices.Sorted(maps.Keys(weightMap)) {
		if want, got := weightMap[name], home[name]; got == "" {
			return fmt.Errorf("%s: tensor %q is not in its shard %s", path, name, want)
		} else if got != want {
			return fmt.Errorf("%s: tensor %q is not in its shard %s but in %s", path, name, want, got)
		}
	}
	return nil
}
