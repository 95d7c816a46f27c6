package events

import (
	"encoding/binary"
	"hash/crc32"
	"math"
)

// encode returns a protobuf message made of pairs of a field's number and its value, whose Go type chooses the wire type. The two
// messages that an event file needs (Event and Summary of tensorflow/core/framework) are written by hand: a protobuf runtime for what is
// never read would be larger than this package.
func encode(fields ...any) (b []byte) {
	const varint, fixed64, delimited, fixed32 = 0, 1, 2, 5
	for i := 0; i < len(fields); i += 2 {
		key := func(wire uint64) []byte { return binary.AppendUvarint(b, uint64(fields[i].(int))<<3|wire) }
		switch v := fields[i+1].(type) {
		case int:
			b = binary.AppendUvarint(key(varint), uint64(v))
		case float64:
			b = binary.LittleEndian.AppendUint64(key(fixed64), math.Float64bits(v))
		case float32:
			b = binary.LittleEndian.AppendUint32(key(fixed32), math.Float32bits(v))
		case string:
			b = append(binary.AppendUvarint(key(delimited), uint64(len(v))), v...)
		case []byte:
			b = append(binary.AppendUvarint(key(delimited), uint64(len(v))), v...)
		}
	}
	return b
}

// masked returns the checksum of a TFRecord: CRC-32C rotated right by 15 bits plus a constant, so that the checksum of
// data that holds checksums stays sound (tensorflow/core/lib/hash/crc32c.h).
func masked(b []byte) uint32 {
	c := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
	return (c>>15 | c<<17) + 0xa282ead8
}

// appendRecord frames data as a TFRecord: length in 8 bytes, checksum of the length, data, checksum of the data, all
// little-endian (tensorflow/core/lib/io/record_writer.h).
func appendRecord(b, data []byte) []byte {
	length := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	b = binary.LittleEndian.AppendUint32(append(b, length...), masked(length))
	return binary.LittleEndian.AppendUint32(append(b, data...), masked(data))
}
