package events

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"strings"
)

// A reader of event files that shares nothing with the writer but the checksum's polynomial.

// records takes a TFRecord file apart and checks both checksums of every record.
func records(b []byte) ([][]byte, error) {
	unmask := func(v uint32) uint32 {
		v -= 0xa282ead8
		return v>>17 | v<<15
	}
	sum := func(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }
	var out [][]byte
	for len(b) > 0 {
		if len(b) < 16 {
			return nil, fmt.Errorf("record %d: %d bytes are no record", len(out), len(b))
		}
		if unmask(binary.LittleEndian.Uint32(b[8:])) != sum(b[:8]) {
			return nil, fmt.Errorf("record %d: the length's checksum is wrong", len(out))
		}
		n := binary.LittleEndian.Uint64(b)
		if n > uint64(len(b)-16) {
			return nil, fmt.Errorf("record %d: %d bytes of %d", len(out), len(b)-16, n)
		}
		data := b[12 : 12+n]
		if unmask(binary.LittleEndian.Uint32(b[12+n:])) != sum(data) {
			return nil, fmt.Errorf("record %d: the data's checksum is wrong", len(out))
		}
		out = append(out, data)
		b = b[16+n:]
	}
	return out, nil
}

// message is a protobuf message's fields by number: float64, float32, int64 or []byte.
type message map[int]any

func parse(b []byte) (message, error) {
	m := message{}
	for len(b) > 0 {
		key, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, fmt.Errorf("no key in %x", b)
		}
		b = b[n:]
		field := int(key >> 3)
		if _, twice := m[field]; twice {
			return nil, fmt.Errorf("field %d twice", field)
		}
		switch wire := key & 7; wire {
		case 0:
			v, n := binary.Uvarint(b)
			if n <= 0 {
				return nil, fmt.Errorf("field %d: no number", field)
			}
			m[field], b = int64(v), b[n:]
		case 1:
			if len(b) < 8 {
				return nil, fmt.Errorf("field %d: cut off", field)
			}
			m[field], b = math.Float64frombits(binary.LittleEndian.Uint64(b)), b[8:]
		case 2:
			v, n := binary.Uvarint(b)
			if n <= 0 || v > uint64(len(b)-n) {
				return nil, fmt.Errorf("field %d: cut off", field)
			}
			m[field], b = b[n:n+int(v)], b[n+int(v):]
		case 5:
			if len(b) < 4 {
				return nil, fmt.Errorf("field %d: cut off", field)
			}
			m[field], b = math.Float32frombits(binary.LittleEndian.Uint32(b)), b[4:]
		default:
			return nil, fmt.Errorf("field %d: wire type %d", field, wire)
		}
	}
	return m, nil
}

// within parses the message in a field of m, at the end of a path of fields.
func (m message) within(path ...int) (message, error) {
	for _, field := range path {
		b, ok := m[field].([]byte)
		if !ok {
			return nil, fmt.Errorf("field %d of %v is no message", field, path)
		}
		var err error
		if m, err = parse(b); err != nil {
			return nil, fmt.Errorf("field %d of %v: %w", field, path, err)
		}
	}
	return m, nil
}

// dump is an event file as text, a line for each event: seconds after the first one, step, tag, value.
func dump(file []byte) (string, error) {
	all, err := records(file)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	began := math.NaN()
	for i, data := range all {
		e, err := parse(data)
		if err != nil {
			return "", fmt.Errorf("event %d: %w", i, err)
		}
		wall, step := e[1].(float64), e[2]
		if step == nil {
			step = int64(0)
		}
		if i == 0 {
			began = wall
			fmt.Fprintf(&out, "%.6f %s\n", wall, e[3])
			continue
		}
		value, err := e.within(5, 1)
		if err != nil {
			return "", fmt.Errorf("event %d: %w", i, err)
		}
		fmt.Fprintf(&out, "+%.6f %d %s ", wall-began, step, value[1])
		if v, ok := value[2]; ok {
			fmt.Fprintf(&out, "%v\n", v)
			continue
		}
		plugin, err := value.within(9, 1)
		if err != nil {
			return "", fmt.Errorf("event %d: %w", i, err)
		}
		tensor, err := value.within(8)
		if err != nil {
			return "", fmt.Errorf("event %d: %w", i, err)
		}
		size, err := tensor.within(2, 2)
		if err != nil {
			return "", fmt.Errorf("event %d: %w", i, err)
		}
		fmt.Fprintf(&out, "%s, type %v, shape [%v]:\n%s\n", plugin[1], tensor[1], size[1], tensor[8])
	}
	return out.String(), nil
}
