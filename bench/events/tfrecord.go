package events

import (
	"encoding/binary"
	"hash/crc32"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// masked is the checksum of a TFRecord: CRC-32C turned right by 15 bits plus a constant, so that a
// checksum over data which holds checksums stays sound (tensorflow/core/lib/hash/crc32c.h).
func masked(b []byte) uint32 {
	c := crc32.Checksum(b, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}

// appendRecord frames data as a TFRecord: its length in 8 bytes, the length's checksum, data, its
// checksum; all little-endian (tensorflow/core/lib/io/record_writer.h).
func appendRecord(b, data []byte) []byte {
	var length [8]byte
	binary.LittleEndian.PutUint64(length[:], uint64(len(data)))
	b = append(b, length[:]...)
	b = binary.LittleEndian.AppendUint32(b, masked(length[:]))
	b = append(b, data...)
	return binary.LittleEndian.AppendUint32(b, masked(data))
}
