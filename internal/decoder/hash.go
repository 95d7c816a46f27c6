package decoder

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"lorabench/internal/torch"
)

// Hash makes weights from a counter-based hash of their names, bit for bit the same in any
// language: a model of the true shape for measuring speed, memory and agreement where no
// checkpoint can be had. Uniform with the config's Std; norm weights 1 plus that; the
// padding row 0. The formula is [HashValues]'s. s owns the weights.
func Hash(s *torch.Scope, c Config, seed uint64, d torch.DType, on torch.Device) (*Model, Source, error) {
	if err := c.Check(); err != nil {
		return nil, Source{}, err
	}
	weights := Store(s, c, d, on)
	for _, p := range c.Params() {
		v := HashValues(p.Name, int(p.Size()), seed, c.Std())
		s.Do(func(s *torch.Scope) { torch.Copy(weights[p.Name], s.FromFloats(v, p.Shape...)) })
	}
	m, err := New(c, weights)
	if err == nil {
		s.Do(m.Embedding.ClearPad)
	}
	recipe := fmt.Sprintf("hash:%d std %v %+v", seed, c.Std(), c)
	return m, Source{SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte(recipe)))}, err
}

// HashValues is n float32 with standard deviation std for the tensor called name: splitmix64 over
// a counter started from FNV-1a of the name,
//
//	x_i = mix(fnv1a64(name) xor seed*g  +  (i+1)*g)  mod 2^64,  g = 0x9E3779B97F4A7C15
//	u_i = 2 (x_i >> 11) 2^-53 - 1;  value = u_i * (std * sqrt 3)
//
// and 1 plus that where the name ends in norm.weight.
func HashValues(name string, n int, seed uint64, std float64) []float32 {
	const g = 0x9E3779B97F4A7C15
	h := uint64(0xCBF29CE484222325)
	for _, b := range []byte(name) {
		h = (h ^ uint64(b)) * 0x100000001B3
	}
	h ^= seed * g
	base := 0.0
	if strings.HasSuffix(name, "norm.weight") {
		base = 1
	}
	width := std * math.Sqrt(3)
	v := make([]float32, n)
	for i := range v {
		h += g
		x := h
		x ^= x >> 30
		x *= 0xBF58476D1CE4E5B9
		x ^= x >> 27
		x *= 0x94D049BB133111EB
		x ^= x >> 31
		u := 2*(float64(x>>11)*(1.0/(1<<53))) - 1
		// Two roundings, as written: a fused multiply-add would differ in the last bit.
		product := float64(u * width)
		v[i] = float32(base + product)
	}
	return v
}

// Fingerprint is a hash over the bits of every weight, in the order of Config.Params: equal
// before and after a run, or frozen weights were not frozen.
func (m *Model) Fingerprint() (string, error) {
	h := sha256.New()
	err := torch.Run(func(s *torch.Scope) error {
		for _, p := range m.Params() {
			s.Do(func(s *torch.Scope) {
				var b [4]byte
				for _, v := range s.Floats(m.weights[p.Name]) {
					binary.LittleEndian.PutUint32(b[:], math.Float32bits(v))
					h.Write(b[:])
				}
			})
		}
		return nil
	})
	return fmt.Sprintf("%x", h.Sum(nil)), err
}
