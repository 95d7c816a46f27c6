package hub

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestModelFiles(t *testing.T) {
	base := []string{"config.json", "merges.txt", "vocab.json"}
	with := func(names ...string) []string { return append(append([]string{}, base...), names...) }
	index := map[string]string{
		"model.safetensors.index.json": `{"weight_map":{"a":"model-2.safetensors","b":"model-1.safetensors","c":"model-1.safetensors"}}`,
		"pytorch_model.bin.index.json": `{"weight_map":{"a":"p.bin"}}`,
	}
	for _, c := range []struct {
		names, take []string
		fails, why  string
	}{
		{with("model.safetensors", "pytorch_model.bin"), []string{"config.json", "vocab.json", "merges.txt", "model.safetensors"}, "", "safetensors before pickles"},
		{with("model.safetensors.index.json", "model-1.safetensors", "model-2.safetensors", "pytorch_model.bin"),
			[]string{"config.json", "vocab.json", "merges.txt", "model.safetensors.index.json", "model-1.safetensors", "model-2.safetensors"}, "", "shards by their index"},
		{with("model.safetensors.index.json", "model-1.safetensors"), nil, `"model-2.safetensors", which is not there`, "a shard is missing"},
		{with("pytorch_model.bin", "flax_model.msgpack"), []string{"config.json", "vocab.json", "merges.txt", "pytorch_model.bin"}, "", "OPT's repositories"},
		{with("pytorch_model.bin.index.json", "p.bin"), []string{"config.json", "vocab.json", "merges.txt", "pytorch_model.bin.index.json", "p.bin"}, "", "old shards"},
		{with("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "model.safetensors"),
			[]string{"config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "model.safetensors"}, "", "one tokenizer file is enough"},
		{with("flax_model.msgpack"), nil, "only config.json, merges.txt, vocab.json, flax_model.msgpack", "no weights that can be read"},
		{[]string{"config.json", "model.safetensors"}, nil, "neither tokenizer.json", "no tokenizer"},
		{[]string{"model.safetensors"}, nil, "no config.json", "an adapter, or a data set"},
	} {
		take, _, err := modelFiles(c.names, func(name string) ([]byte, error) {
			if text, ok := index[name]; ok {
				return []byte(text), nil
			}
			return nil, errors.New("not an index: " + name)
		})
		if c.fails != "" {
			require.ErrorContains(t, err, c.fails, c.why)
			continue
		}
		require.NoError(t, err, c.why)
		assert.Equal(t, c.take, take, c.why)
	}
	for _, bad := range []string{"", "[]", "{}", `{"weight_map":{"a":"../../x"}}`} {
		_, err := shardsOf("i.json", []string{"../../x"}, func(string) ([]byte, error) { return []byte(bad), nil })
		require.ErrorContains(t, err, "i.json", "index %q", bad)
	}
}

func TestDataFiles(t *testing.T) {
	for _, c := range []struct {
		names, take, skip []string
		fails, why        string
	}{
		{[]string{"data/train-00000-of-00001-abc.parquet", "README.md", ".gitattributes"}, []string{"data/train-00000-of-00001-abc.parquet"}, nil, "", "as the Hub converts"},
		{[]string{"code_alpaca_20k.json"}, []string{"code_alpaca_20k.json"}, nil, "", "one file of no split"},
		{[]string{"b.jsonl", "a.jsonl"}, []string{"a.jsonl", "b.jsonl"}, nil, "", "sorted"},
		{[]string{"train.jsonl", "test.jsonl", "other.jsonl"}, []string{"train.jsonl"}, []string{"other.jsonl", "test.jsonl"}, "", "the train split alone"},
		{[]string{"all.jsonl", "eval.jsonl"}, []string{"all.jsonl"}, []string{"eval.jsonl"}, "", "no train split: what is no other"},
		{[]string{"contest.jsonl", "training_data.jsonl"}, []string{"training_data.jsonl"}, []string{"contest.jsonl"}, "", "whole words count"},
		{[]string{"contest.jsonl"}, []string{"contest.jsonl"}, nil, "", "contest is no test"},
		{[]string{"train1.jsonl", "test1.jsonl"}, []string{"train1.jsonl"}, []string{"test1.jsonl"}, "", "digits end a word, as in the library datasets"},
		{[]string{"all.jsonl", "dev01.jsonl", "val2023.jsonl", "alpaca_test2.jsonl"}, []string{"all.jsonl"},
			[]string{"alpaca_test2.jsonl", "dev01.jsonl", "val2023.jsonl"}, "", "numbered splits that are not trained on"},
		{[]string{"2024-05-01.jsonl", "alpaca-v2.jsonl", "contest1.jsonl"}, []string{"2024-05-01.jsonl", "alpaca-v2.jsonl", "contest1.jsonl"}, nil, "",
			"dates and versions name no split"},
		{[]string{"train.json", "train.jsonl", "train.parquet"}, []string{"train.parquet"}, []string{"train.json", "train.jsonl"}, "", "one format of several"},
		{[]string{"x.json", "x.json.gz"}, []string{"x.json"}, []string{"x.json.gz"}, "", "the same, packed"},
		{[]string{"x.jsonl.gz", "y.jsonl.gz"}, []string{"x.jsonl.gz", "y.jsonl.gz"}, nil, "", "packed only"},
		{[]string{"dataset_infos.json", "a/.b/x.json", ".c.json"}, nil, nil, "no data files", "descriptions and hidden files are no data"},
		{nil, nil, nil, "no data files", "nothing"},
		{[]string{"data.csv"}, nil, nil, "no data files", "another format"},
		{[]string{"test.jsonl", "dev.jsonl"}, nil, nil, "no train split, only dev.jsonl, test.jsonl", "nothing to train on"},
		{[]string{"main/train.jsonl", "socratic/train.jsonl"}, nil, nil, "several data sets", "two configurations"},
		{[]string{"data/train_sft-00000-of-00001-a1.parquet", "data/train_gen-00000-of-00001-b2.parquet", "data/test_sft-00000-of-00001.parquet"},
			nil, nil, "it holds several train splits: train_gen, train_sft: put the files of one into a folder of their own and give that", "splits that repeat each other's records"},
		{[]string{"train_sft-00000-of-00002.parquet", "train_sft-00001-of-00002.parquet"},
			[]string{"train_sft-00000-of-00002.parquet", "train_sft-00001-of-00002.parquet"}, nil, "", "shards of one split, whatever its name"},
		{[]string{"train-00000-of-00002.parquet", "train-00001-of-00002.parquet", "train_sft-00000-of-00003.parquet"},
			[]string{"train-00000-of-00002.parquet", "train-00001-of-00002.parquet"}, []string{"train_sft-00000-of-00003.parquet"}, "",
			"train itself among several"},
		{[]string{"data/de-00000-of-00001.parquet", "data/en-00000-of-00001.parquet"}, nil, nil, "several train splits: de, en", "no split is called train"},
		{[]string{"de-00000-of-00001.parquet", "en-00000-of-00001.parquet"}, []string{"de-00000-of-00001.parquet", "en-00000-of-00001.parquet"}, nil, "",
			"nothing says that they are splits, nor in which folder they lie"},
		{[]string{"train/de-00000-of-00001.parquet", "train/en-00000-of-00001.parquet"},
			[]string{"train/de-00000-of-00001.parquet", "train/en-00000-of-00001.parquet"}, nil, "", "parts of the split that the folder names"},
		{[]string{"train-00000-of-00003.parquet", "train-00002-of-00003.parquet"}, nil, nil, "there are 2, not 3", "a shard is missing"},
	} {
		take, skip, err := DataFiles(c.names)
		if c.fails != "" {
			require.ErrorContains(t, err, c.fails, c.why)
			continue
		}
		require.NoError(t, err, c.why)
		assert.Equal(t, c.take, take, c.why)
		assert.Equal(t, c.skip, skip, c.why)
	}
}
