package data

import (
	"bytes"
	"compress/gzip"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDamagedData flips a bit, and cuts the end off, at 1,000 places of each kind of file: an error, or records of text, never more of
// them; and of what has a checksum or an end, an error or the records that were written.
func TestDamagedData(t *testing.T) {
	var lines strings.Builder
	for n := range 40 {
		lines.WriteString(`{"instruction": "Add ` + strconv.Itoa(n) + `", "input": "", "output": "` + strings.Repeat("é1, ", n) + "\"}\n")
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write([]byte(lines.String()))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	array := "[" + strings.TrimSuffix(strings.ReplaceAll(lines.String(), "}\n", "},\n"), ",\n") + "]"
	snappy, err := os.ReadFile("testdata/parquet/snappy.parquet")
	require.NoError(t, err)
	zstd, err := os.ReadFile("testdata/parquet/zstd.parquet")
	require.NoError(t, err)
	for _, c := range []struct {
		kind    string
		raw     []byte
		sum     bool // it has a checksum of what it says
		endless bool // nothing in it says where it ends
	}{
		{"JSON lines", []byte(lines.String()), false, true},
		{"a JSON array", []byte(array), false, false},
		{"JSON lines packed with gzip", packed.Bytes(), true, false},
		{"parquet with snappy", snappy, false, false},
		{"parquet with zstd", zstd, false, false},
	} {
		t.Run(c.kind, func(t *testing.T) {
			var whole Set
			require.NoError(t, whole.add(c.raw))
			rng := rand.New(rand.NewPCG(5, 6))
			for range 1000 {
				flipped := bytes.Clone(c.raw)
				at, bit := rng.IntN(len(flipped)), rng.IntN(8)
				flipped[at] ^= 1 << bit
				var s Set
				if s.add(flipped) == nil {
					require.LessOrEqual(t, len(s.Records), len(whole.Records), "byte %d, bit %d", at, bit)
					if c.sum {
						require.Equal(t, whole.Records, s.Records, "byte %d, bit %d", at, bit)
					}
				}
				n := rng.IntN(len(c.raw))
				s = Set{}
				if err := s.add(c.raw[:n:n]); c.endless && err == nil {
					require.Equal(t, whole.Records[:len(s.Records)], s.Records, "%d bytes", n)
				} else {
					require.Error(t, err, "%d bytes", n)
				}
			}
		})
	}
}
