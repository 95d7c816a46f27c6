package data

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// shared returns the path of a file of the folder shared/ beside the project, which holds what its licence keeps out
// of here. The tests that need it are skipped where it is not there.
func shared(t testing.TB, name string) string {
	t.Helper()
	root := os.Getenv("LORABENCH_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "shared")
	}
	path := filepath.Join(root, filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		t.Skipf("skipped: %v; set LORABENCH_SHARED to the folder with %s", err, name)
	}
	return path
}

type digest struct {
	Records  int    `json:"records"`
	Tokens   int    `json:"tokens"`
	SumOfIDs int    `json:"sum_of_ids"`
	SHA256   string `json:"sha256"`
	At1024   int    `json:"at_1024"`
	Over128  int    `json:"over_128"`
}

func peerCases(t testing.TB) (cases []struct {
	Text string
	IDs  []int32
}, digests map[string]digest) {
	raw, err := os.ReadFile(shared(t, "peer/fixtures/tokenizer/cases.json"))
	require.NoError(t, err)
	var f struct {
		Digests map[string]digest
		Cases   []struct {
			Text string
			IDs  []int32
		}
	}
	require.NoError(t, json.Unmarshal(raw, &f))
	return f.Cases, f.Digests
}

func TestPeerCases(t *testing.T) {
	tok, err := LoadTokenizer(shared(t, "data"))
	require.NoError(t, err)
	assert.Equal(t, 50265, tok.size)
	assert.Equal(t, 50265, tok.Vocabulary())
	cases, _ := peerCases(t)
	require.Len(t, cases, 104)
	for _, c := range cases {
		got := tok.Encode(c.Text)
		assert.Equal(t, append([]int32{}, c.IDs...), got, "%q", c.Text)
		assert.Equal(t, c.Text, tok.Decode(got))
	}
}

// The ids of all 20,022 records of CodeAlpaca in both templates, as Hugging Face's tokenizers makes them.
func TestPeerDigests(t *testing.T) {
	tok, err := LoadTokenizer(shared(t, "data"))
	require.NoError(t, err)
	set, err := Load(context.Background(), shared(t, "data/code_alpaca_20k.json.gz"))
	require.NoError(t, err)
	assert.Equal(t, "2d955bbc8bef2e56265b551a832cfda2ebce6acb3ad5fc94ee0c1c0791521a47", set.SHA256)
	_, digests := peerCases(t)
	for name, prompt := range map[string]Prompt{"iio": Reported, "qa": Assigned} {
		samples, err := prompt.Encode(tok, set.Records, 1024)
		require.NoError(t, err)
		got := digest{Records: len(samples)}
		sum := sha256.New()
		for _, s := range samples {
			got.Tokens += len(s.IDs)
			var b []byte
			for _, id := range s.IDs {
				got.SumOfIDs += int(id)
				b = binary.LittleEndian.AppendUint32(b, uint32(id))
			}
			sum.Write(b)
			if len(s.IDs) == 1024 {
				got.At1024++
			}
			if len(s.IDs) > 128 {
				got.Over128++
			}
		}
		got.SHA256 = hex.EncodeToString(sum.Sum(nil))
		assert.Equal(t, digests[name], got, name)
	}
}

// The labels of the exercise's template at its length, as the peer makes them of the same file:
//
//	ids = [[2] + e.ids for e in tok.encode_batch([format_record(r, "qa") for r in recs], add_special_tokens=False)]
//	labels = [completion_labels(x[:128], tok.encode(" ### Answer:", add_special_tokens=False).ids) for x in ids]
//	sha256(b"".join(struct.pack(f"<{len(l)}i", *l) for l in labels))
func TestPeerLabels(t *testing.T) {
	tok, err := LoadTokenizer(shared(t, "data"))
	require.NoError(t, err)
	set, err := Load(context.Background(), shared(t, "data/code_alpaca_20k.json.gz"))
	require.NoError(t, err)
	samples, err := Assigned.Encode(tok, set.Records, 128)
	require.NoError(t, err)
	sum, tokens := sha256.New(), 0
	for _, s := range samples {
		var b []byte
		for _, label := range s.Labels {
			b = binary.LittleEndian.AppendUint32(b, uint32(label))
		}
		sum.Write(b)
		tokens += len(s.Labels)
	}
	assert.Equal(t, 1603880, tokens)
	assert.Equal(t, "6443d7d5271985cdb4e7caa45b34283eacd303cca1daf598d4245074c499d303", hex.EncodeToString(sum.Sum(nil)))
	labels := 0
	for i := range samples {
		m := Pack(samples, []int{i})
		labels += m.Labels
	}
	assert.Equal(t, 1130371, labels)
}
