package data

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
)

// Split holds out n records for evaluation. The choice depends only on the texts: those with the smallest
// hashes, so neither the order of the file nor a seed matters, and equal records stay on the same side. Both parts
// keep the order of recs. n must be at least 0 and less than len(recs); it is an error if copies of the same record make
// exactly n impossible.
func Split(recs []Record, n int) (train, held []Record, err error) {
	if n < 0 || n >= len(recs) && n > 0 {
		return nil, nil, fmt.Errorf("cannot hold back %d of %d records: give 0 to %d", n, len(recs), max(len(recs)-1, 0))
	}
	type hash = [sha256.Size]byte
	hashes := make([]hash, len(recs))
	inParallel(len(recs), func(i int) { hashes[i] = recs[i].hash() })

	copies := make(map[hash]int, len(recs))
	for _, h := range hashes {
		copies[h]++
	}
	distinct := make([]hash, 0, len(copies))
	for h := range copies {
		distinct = append(distinct, h)
	}
	slices.SortFunc(distinct, func(a, b hash) int { return bytes.Compare(a[:], b[:]) })

	missing := n
	away := make(map[hash]bool, n)
	for _, h := range distinct {
		if copies[h] <= missing {
			away[h] = true
			missing -= copies[h]
		}
	}
	if missing > 0 {
		return nil, nil, fmt.Errorf("cannot hold back exactly %d of %d records, as equal records stay together: %d is possible", n, len(recs), n-missing)
	}
	train, held = make([]Record, 0, len(recs)-n), make([]Record, 0, n)
	for i, r := range recs {
		if away[hashes[i]] {
			held = append(held, r)
		} else {
			train = append(train, r)
		}
	}
	return train, held, nil
}

// hash hashes the fields with their lengths, so that moving text from one field to the next changes it. Without Text it
// is the same as before that field existed, so that the same records are held out as then.
func (r Record) hash() [sha256.Size]byte {
	var b []byte
	fields := []string{r.Instruction, r.Input, r.Output}
	if r.Text != "" {
		fields = append(fields, r.Text)
	}
	for _, s := range fields {
		b = binary.LittleEndian.AppendUint64(b, uint64(len(s)))
		b = append(b, s...)
	}
	return sha256.Sum256(b)
}
