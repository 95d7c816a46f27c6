package events

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestChecksum(t *testing.T) {
	ascending := make([]byte, 32)
	for i := range ascending {
		ascending[i] = byte(i)
	}
	for _, c := range []struct {
		data []byte
		crc  uint32
		why  string
	}{
		{make([]byte, 32), 0x8a9136aa, "RFC 3720 B.4, zeros"},
		{bytes.Repeat([]byte{0xff}, 32), 0x62a8ab43, "RFC 3720 B.4, ones"},
		{ascending, 0x46dd794e, "RFC 3720 B.4, 0 to 31"},
		{[]byte("123456789"), 0xe3069283, "the polynomial's check value"},
	} {
		assert.Equal(t, c.crc, crc32.Checksum(c.data, crc32.MakeTable(crc32.Castagnoli)), c.why)
		assert.Equal(t, (c.crc>>15|c.crc<<17)+0xa282ead8, masked(c.data), c.why)
	}
	// How every event file with file_version brain.Event:2 begins, whoever wrote it.
	var length [8]byte
	binary.LittleEndian.PutUint64(length[:], 24)
	assert.Equal(t, uint32(0x224b7fa3), masked(length[:]))
}

func TestRecordsFollowEachOther(t *testing.T) {
	var b []byte
	want := [][]byte{{}, []byte("one"), bytes.Repeat([]byte("x"), 1000)}
	for _, data := range want {
		b = appendRecord(b, data)
	}
	got, err := records(b)
	require.NoError(t, err)
	require.Equal(t, want, got)
}
