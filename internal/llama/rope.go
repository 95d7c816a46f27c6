package llama

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"lorabench/internal/checkpoint"
	"lorabench/internal/decoder"
)

// Rope is rope_scaling of transformers 4, or rope_parameters of 5, which has rope_theta too.
type Rope struct {
	RopeType string  `json:"rope_type"`
	Type     string  `json:"type"` // the former name of rope_type
	Theta    float64 `json:"rope_theta"`
	Factor   float64 `json:"factor"`
	Low      float64 `json:"low_freq_factor"`
	High     float64 `json:"high_freq_factor"`
	Original float64 `json:"original_max_position_embeddings"`
	Partial  float64 `json:"partial_rotary_factor"`
}

// UnmarshalJSON refuses fields that would change the positions and are not computed here.
func (r *Rope) UnmarshalJSON(data []byte) error {
	type plain Rope
	p := plain{Partial: 1}
	others, err := checkpoint.Decode(data, &p)
	switch {
	case err != nil:
		return err
	case len(others) > 0:
		return fmt.Errorf("%s is not supported", slices.Min(slices.Collect(maps.Keys(others))))
	case p.Partial != 1:
		return fmt.Errorf("partial_rotary_factor is %v, want 1: rotary positions of a part of a head are not supported", p.Partial)
	}
	*r = Rope(p)
	return nil
}

// complete fills in what r leaves to the top level of config.json, as transformers does, so that two of them can be compared.
func (c Config) complete(r Rope) Rope {
	r.Theta = cmp.Or(r.Theta, c.RopeTheta)
	r.RopeType, r.Type = cmp.Or(r.RopeType, r.Type), ""
	if r.RopeType == "" && r.Factor == 0 {
		r.RopeType = "default"
	}
	return r
}

// rotary returns the frequencies of positions, as modeling_rope_utils.py computes them.
func (c Config) rotary() (*decoder.Rotary, error) {
	rope, field := c.complete(Rope{}), "rope_scaling"
	if c.RopeScaling != nil {
		rope = c.complete(*c.RopeScaling)
	}
	if c.RopeParameters != nil {
		scaling := rope
		rope, field = c.complete(*c.RopeParameters), "rope_parameters"
		if c.RopeScaling != nil && scaling != rope {
			return nil, fmt.Errorf("rope_scaling and rope_parameters differ: leave one of them")
		}
	}
	if !(rope.Theta > 0) || math.IsInf(rope.Theta, 0) {
		return nil, fmt.Errorf("rope_theta is %v, want a positive number", rope.Theta)
	}
	r := decoder.NewRotary(rope.Theta, c.HeadDim)
	kind, top := rope.RopeType, c.OriginalMaxPositionEmbeddings
	switch {
	case kind == "default":
		return r, nil
	case kind != "linear" && kind != "llama3":
		return nil, fmt.Errorf("%s has rope_type %q, want default, linear or llama3", field, kind)
	case !(rope.Factor >= 1):
		return nil, fmt.Errorf("%s has factor %v, want at least 1", field, rope.Factor)
	case kind == "linear":
		for i := range r.Frequencies {
			r.Frequencies[i] /= float32(rope.Factor)
		}
		return r, nil
	case top != 0 && rope.Original != 0 && top != rope.Original: // versions of transformers differ in which one counts
		return nil, fmt.Errorf("original_max_position_embeddings is %v, and %v in %s: leave one of them", top, rope.Original, field)
	case !(rope.Low > 0) || !(rope.High > rope.Low) || !(rope.Original >= 1):
		return nil, fmt.Errorf("%s has low_freq_factor %v, high_freq_factor %v and original_max_position_embeddings %v: "+
			"want 0 < low < high and at least 1 position", field, rope.Low, rope.High, rope.Original)
	}
	rope.scale(r.Frequencies)
	return r, nil
}

// scale divides by factor the frequencies whose wavelength is above the original length over low_freq_factor, keeps those whose
// wavelength is below it over high_freq_factor, and interpolates in between (Llama 3.1).
func (r *Rope) scale(frequencies []float32) {
	factor, low, high, original := float32(r.Factor), float32(r.Low), float32(r.High), float32(r.Original)
	for i, f := range frequencies {
		wave := float32(2*math.Pi) / f
		switch {
		case wave > original/low:
			frequencies[i] = f / factor
		case wave >= original/high:
			smooth := (original/wave - low) / (high - low)
			frequencies[i] = (1-smooth)*f/factor + smooth*f
		}
	}
}
