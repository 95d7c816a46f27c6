package events

import (
	"encoding/binary"
	"math"
)

// The numbers of the fields below are those of tensorboard's compat/proto: event.proto, summary.proto,
// tensor.proto and tensor_shape.proto. A generated package and the protobuf runtime for five messages
// that are only written would be the larger part of this package.

// Wire types of protobuf's encoding.
const (
	varint    = 0
	fixed64   = 1
	delimited = 2
	fixed32   = 5
)

func appendKey(b []byte, field, wire int) []byte {
	return binary.AppendUvarint(b, uint64(field<<3|wire))
}

func appendInt(b []byte, field int, v int64) []byte {
	return binary.AppendUvarint(appendKey(b, field, varint), uint64(v))
}

func appendDouble(b []byte, field int, v float64) []byte {
	return binary.LittleEndian.AppendUint64(appendKey(b, field, fixed64), math.Float64bits(v))
}

func appendFloat(b []byte, field int, v float32) []byte {
	return binary.LittleEndian.AppendUint32(appendKey(b, field, fixed32), math.Float32bits(v))
}

// appendBytes appends a string or an encoded message.
func appendBytes[T string | []byte](b []byte, field int, v T) []byte {
	b = binary.AppendUvarint(appendKey(b, field, delimited), uint64(len(v)))
	return append(b, v...)
}

// versionEvent is an Event with file_version, the first of every file. wall is in seconds since 1970.
func versionEvent(wall float64) []byte {
	return appendBytes(appendDouble(nil, 1, wall), 3, "brain.Event:2")
}

// summaryEvent is an Event with a Summary of one Value.
func summaryEvent(wall float64, step int64, value []byte) []byte {
	b := appendDouble(nil, 1, wall)
	if step != 0 {
		b = appendInt(b, 2, step)
	}
	return appendBytes(b, 5, appendBytes(nil, 1, value))
}

// scalarValue is a Value with simple_value.
func scalarValue(tag string, v float64) []byte {
	return appendFloat(appendBytes(nil, 1, tag), 2, float32(v))
}

// textValue is a Value that TensorBoard's text plugin shows: a tensor of one string, [1], under the
// tag that torch.utils.tensorboard's add_text gives it.
func textValue(tag, text string) []byte {
	const dtString = 7
	shape := appendBytes(nil, 2, appendInt(nil, 1, 1))
	tensor := appendBytes(appendInt(nil, 1, dtString), 2, shape)
	tensor = appendBytes(tensor, 8, text)
	metadata := appendBytes(nil, 1, appendBytes(nil, 1, "text"))
	b := appendBytes(nil, 1, tag+"/text_summary")
	return appendBytes(appendBytes(b, 8, tensor), 9, metadata)
}
