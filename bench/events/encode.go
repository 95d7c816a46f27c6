package events

import (
	"encoding/binary"
	"hash/crc32"
	"math"
)

// encode returns a protobuf message made of pairs of a field's number and its value. The two messages that an event file
// needs (Event and Summary of tensorflow/core/framework) are written by hand: a protobuf runtime for what is never read
// would be larger than this package.
func encode(fields ...any) []byte {
	var b []byte
	for i := 0; i < len(fields); i += 2 {
		b = appendField(b, uint64(fields[i].(int)), fields[i+1])
	}
	return b
}

// appendField appends a field, its wire type chosen by the value's Go type.
func appendField(b []byte, number uint64, value any) []byte {
	const varint, fixed64, delimited, fixed32 = 0, 1, 2, 5
	key := func(wire uint64) []byte { return binary.AppendUvarint(b, number<<3|wire) }
	switch v := value.(type) {
	case int:
		return binary.AppendUvarint(key(varint), uint64(v))
	case float64:
		return binary.LittleEndian.AppendUint64(key(fixed64), math.Float64bits(v))
	case float32:
		return binary.LittleEndian.AppendUint32(key(fixed32), math.Float32bits(v))
	case string:
		return appendField(b, number, []byte(v))
	case []byte:
		return append(binary.AppendUvarint(key(delimited), uint64(len(v))), v...)
	}
	return b
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// masked returns the checksum of a TFRecord: CRC-32C rotated right by 15 bits plus a constant, so that the checksum of
// data that holds checksums stays sound (tensorflow/core/lib/hash/crc32c.h).
func masked(b []byte) uint32 {
	c := crc32.Checksum(b, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}

// appendRecord frames data as a TFRecord: length in 8 bytes, checksum of the length, data, checksum of the data, all
// little-endian (tensorflow/core/lib/io/record_writer.h).
func appendRecord(b, data []byte) []byte {
	length := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	b = binary.LittleEndian.AppendUint32(append(b, length...), masked(length))
	return binary.LittleEndian.AppendUint32(append(b, data...), masked(data))
}
