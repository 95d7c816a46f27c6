package checkpoint

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// zipOf makes a stored archive of the entries, in order.
func zipOf(t testing.TB, entries ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(entries); i += 2 {
		w, err := z.CreateHeader(&zip.FileHeader{Name: entries[i], Method: zip.Store})
		require.NoError(t, err)
		_, err = w.Write([]byte(entries[i+1]))
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return b.Bytes()
}

// The parts of a hand-made pickle of {"w": tensor}, protocol 2.
const (
	pickleHead = "\x80\x02}X\x01\x00\x00\x00w"
	pickleTail = "s."
	noHooks    = "\x89}"
)

// pickleStorage is the storage with key 0 of count elements.
func pickleStorage(class string, count int) string {
	return "(X\x07\x00\x00\x00storagectorch\n" + class + "\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu" + pickleInt(count) + "tQ"
}

func pickleInt(n int) string {
	return "\x8a\x08" + string(binary.LittleEndian.AppendUint64(nil, uint64(n)))
}

func pickleInts(ns ...int) string {
	var b strings.Builder
	b.WriteString("(")
	for _, n := range ns {
		b.WriteString(pickleInt(n))
	}
	b.WriteString("t")
	return b.String()
}

// pickleTensor is a pickle of {"w": a strided view of the floats in storage 0}.
func pickleTensor(count, offset int, shape, stride []int) string {
	return pickleHead + "ctorch._utils\n_rebuild_tensor_v2\n(" + pickleStorage("FloatStorage", count) +
		pickleInt(offset) + pickleInts(shape...) + pickleInts(stride...) + noHooks + "tR" + pickleTail
}

func TestTorchBounds(t *testing.T) {
	const huge = 1 << 62
	tests := []struct {
		count, offset int
		shape, stride []int
		want          string // "" for none
		why           string
	}{
		{6, 0, []int{2, 3}, []int{3, 1}, "", "the whole storage"},
		{6, 5, []int{1}, []int{1}, "", "the last element"},
		{6, 6, []int{0}, []int{1}, "", "nothing, at the end"},
		{6, 0, []int{}, []int{}, "", "a scalar"},
		{6, 5, []int{1, 1}, []int{huge, huge}, "", "strides of size 1 are never used"},
		{6, 6, []int{}, []int{}, "last element is number 6", "a scalar past the end"},
		{6, 1, []int{2, 3}, []int{3, 1}, "last element is number 6", "one too far"},
		{6, 0, []int{2, 3}, []int{4, 1}, "last element is number 6", "a stride too long"},
		{6, 0, []int{3, 2}, []int{1, 3}, "", "transposed"},
		{6, 0, []int{2, 2}, []int{huge, huge}, "beyond any storage", "the sum of the strides overflows"},
		{6, 0, []int{5, 2}, []int{huge, 1}, "beyond any storage", "the product overflows"},
		{6, huge, []int{2}, []int{huge}, "beyond any storage", "the offset adds to it"},
		{6, 0, []int{huge, huge}, []int{1, 1}, "2^63", "more than int64"},
		{6, 0, []int{1 << 30}, []int{0}, "would expand to 4294967296 bytes", "one element repeated"},
		{6, 0, []int{3, 4}, []int{0, 1}, "", "one row repeated"},
		{7, 0, []int{1}, []int{1}, "7 F32 elements has 24 bytes", "the storage is shorter than it says"},
		{5, 0, []int{1}, []int{1}, "5 F32 elements has 24 bytes", "the storage is longer than it says"},
		{huge + 6, 0, []int{1}, []int{1}, "has 24 bytes", "the storage's size overflows to 24"},
		{-1, 0, []int{1}, []int{1}, "not a natural number", "no size"},
		{6, -1, []int{1}, []int{1}, "not a natural number", "before the storage"},
		{6, 0, []int{-1}, []int{1}, "must not be negative", "no size"},
		{6, 5, []int{2}, []int{-1}, "must not be negative", "torch has no such strides"},
		{6, 0, []int{1}, []int{}, "1 sizes but 0 strides", "no view"},
		{6, 0, make([]int, 65), make([]int, 65), "65 dimensions", "forged"},
	}
	for _, test := range tests {
		data := zipOf(t, "a/data.pkl", pickleTensor(test.count, test.offset, test.shape, test.stride), "a/data/0", strings.Repeat("\x00", 24))
		p, err := parseTorch("a.bin", data)
		if test.want != "" {
			assert.ErrorContains(t, err, test.want, test.why)
			continue
		}
		require.NoError(t, err, test.why)
		tensor, err := p.tensors["w"]()
		require.NoError(t, err, test.why)
		assert.NoError(t, tensor.check(), test.why)
	}
}

// TestStrided compares views of all kinds with the definition: element i, j, ...
// is number offset + i*stride[0] + j*stride[1] + ... of the storage.
func TestStrided(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	const count = 60
	storage := make([]byte, 4*count)
	for i := range storage {
		storage[i] = byte(rnd.Uint32())
	}
	checked := 0
	for range 2000 {
		ref := tensorRef{storage: storageRef{key: "0", dtype: F32, count: count}, offset: rnd.Int64N(8)}
		for range rnd.IntN(4) {
			ref.shape = append(ref.shape, 1+rnd.Int64N(4))
			ref.stride = append(ref.stride, rnd.Int64N(9))
		}
		rebuild, err := ref.prepare(storage, 1<<20)
		if err != nil {
			continue
		}
		checked++
		numbers := []int64{ref.offset}
		for dim, n := range ref.shape {
			var next []int64
			for _, at := range numbers {
				for i := range n {
					next = append(next, at+i*ref.stride[dim])
				}
			}
			numbers = next
		}
		var want []byte
		for _, at := range numbers {
			want = append(want, storage[4*at:4*at+4]...)
		}
		require.Equal(t, want, rebuild(), "offset %d, shape %v, stride %v", ref.offset, ref.shape, ref.stride)
	}
	assert.Greater(t, checked, 1000)
}

func TestPickleErrors(t *testing.T) {
	tests := []struct {
		pickle string
		want   string
		why    string
	}{
		{"", "byte 0: the pickle is cut short", "nothing"},
		{"\x80", "cut short", "half an opcode"},
		{"\x80\x01}.", "protocol 1", "older than torch.save's"},
		{"\x80\x06}.", "protocol 6", "not known yet"},
		{"\x80\x02.", "stack is empty", "STOP without a value"},
		{"\x80\x02(.", "stack is empty", "STOP takes no MARK"},
		{"\x80\x02t", "no MARK", "TUPLE without a MARK"},
		{"\x80\x02K\x01\x86", "stack is empty", "TUPLE2 of one value"},
		{"\x80\x02K\x01(\x85", "stack is empty", "TUPLE1 may not reach below the MARK"},
		{"\x80\x02q\x00", "stack is empty", "BINPUT of nothing"},
		{"\x80\x02h\x07", "memo 7 is not set", "BINGET of nothing"},
		{"\x80\x02K\x01K\x02K\x03s", "SETITEMS on an int", "no dict"},
		{"\x80\x02}(K\x01u", "key that has no value", "half an item"},
		{"\x80\x02}K\x01a", "APPENDS to a dict", "no list"},
		{"\x80\x02K\x01}b", "BUILD sets attributes of an int", "no object"},
		{"\x80\x02cos\nsystem\n.", `"os.system"`, "code"},
		{"\x80\x04\x8c\x02os\x8c\x06system\x93.", `"os.system"`, "code, protocol 4"},
		{"\x80\x02ctorch.storage\n_load_from_bytes\n.", `"torch.storage._load_from_bytes"`, "it unpickles without limits"},
		{"\x80\x02cos", "cut short", "half a name"},
		{"\x80\x02c\xff\n\n.", "UTF-8", "no name"},
		{"\x80\x04K\x01K\x02\x93.", "not of two names", "no names"},
		{"\x80\x02X\xff\xff\xff\xffab", "cut short", "a string of 4 GB in 2 bytes"},
		{"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xffab", "cut short", "a string of 2^64 bytes"},
		{"\x80\x02\x8a\x09123456789.", "at most 8", "an integer beyond int64"},
		{"\x80\x02\x81.", "opcode 0x81", "NEWOBJ makes objects of any class"},
		{"\x80\x02(i", "opcode 0x69", "INST calls any class"},
		{"\x80\x02P1\n.", "opcode 0x50", "PERSID is of protocol 0"},
		{"\x80\x02K\x01)R.", "a call of an int", "no function"},
		{"\x80\x02ccollections\nOrderedDict\nK\x01R.", "arguments that are an int", "no tuple"},
		{"\x80\x02ccollections\nOrderedDict\nK\x01\x85R.", "with 1 arguments", "torch.save gives none"},
		{"\x80\x02ctorch\nFloatStorage\n)R.", "is called", "a class that is only named"},
		{"\x80\x02ctorch._utils\n_rebuild_parameter\n)R.", "_rebuild_parameter called with other", "no tensor"},
		{"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.", "0 arguments", "no tensor"},
		{"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(K\x00K\x00))\x89}tR.", "an int in the place of a storage", "no storage"},
		{"\x80\x02)Q.", "not a torch storage's", "an empty persistent id"},
		{"\x80\x02(X\x07\x00\x00\x00storageccollections\nOrderedDict\nX\x01\x00\x00\x000NK\x00tQ.", `"collections.OrderedDict"`, "no storage class"},
		{"\x80\x02(X\x07\x00\x00\x00storagectorch\nFloatStorage\nK\x00NK\x00tQ.", "key is an int", "no entry's name"},
		{"\x80\x02}(X\x01\x00\x00\x00aNX\x01\x00\x00\x00aNu.", `key "a" holds None`, "not a tensor"},
		{"\x80\x02}X\x01\x00\x00\x00aG?\xf0\x00\x00\x00\x00\x00\x00s.", `key "a" holds a float`, "not a tensor"},
		{"\x80\x02}X\x01\x00\x00\x00a](K\x01K\x02es.", `key "a" holds a list`, "not a tensor"},
		{"\x80\x02}X\x01\x00\x00\x00a]q\x01h\x01as.", `key "a" holds a list`, "a list that holds itself must not be walked"},
	}
	for _, test := range tests {
		_, err := parseTorch("a.bin", zipOf(t, "a/data.pkl", test.pickle))
		assert.ErrorContains(t, err, test.want, "%s: %q", test.why, test.pickle)
	}
}

func TestArchiveErrors(t *testing.T) {
	good := pickleTensor(1, 0, nil, nil)
	tests := []struct {
		entries []string
		want    string
		why     string
	}{
		{[]string{"a/x", ""}, "no data.pkl", "some zip archive"},
		{[]string{"data.pkl", good}, "no data.pkl", "torch.save has a folder around it"},
		{[]string{"a/data.pkl", good, "b/data.pkl", good}, "two state dicts", "which one is meant?"},
		{[]string{"a/data.pkl", good, "a/data/0", "0000", "a/data/0", "1111"}, `two entries "a/data/0"`, "which one is meant?"},
		{[]string{"a/data.pkl", good, "a/constants.pkl", ""}, "TorchScript", "a program"},
		{[]string{"a/data.pkl", good}, `tensor "w": the archive has no entry "a/data/0"`, "the storage is missing"},
		{[]string{"a/data.pkl", good, "a/byteorder", "middle"}, `"middle"`, "neither little nor big"},
		{[]string{"a/data.pkl", good, "../data/0", "0000"}, "no entry", "names are only compared"},
	}
	for _, test := range tests {
		_, err := parseTorch("a.bin", zipOf(t, test.entries...))
		assert.ErrorContains(t, err, test.want, test.why)
	}
}

// TestZipBomb: an entry that says it inflates to more than DEFLATE can make of
// the file is refused before memory is taken.
func TestZipBomb(t *testing.T) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.CreateRaw(&zip.FileHeader{Name: "a/data.pkl", Method: zip.Deflate, CompressedSize64: 2, UncompressedSize64: 1 << 40})
	require.NoError(t, err)
	_, err = fmt.Fprint(w, "\x03\x00")
	require.NoError(t, err)
	require.NoError(t, z.Close())
	_, err = parseTorch("a.bin", b.Bytes())
	assert.ErrorContains(t, err, "would take 1099511627776 bytes")
}
