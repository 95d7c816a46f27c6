package train

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"lorabench/internal/checkpoint"
	"lorabench/internal/torch"
)

// stateVersion is the version of the files that Save writes.
const stateVersion = 1

// state is what Save writes besides tensors: the training's progress, what the caller adds, and a digest of all.
type state struct {
	Version   int             `json:"version"`
	Taken     int             `json:"taken"`
	Processed int64           `json:"processed"`
	More      json.RawMessage `json:"more"`
	SHA256    string          `json:"sha256"` // of the tensors' bytes by name, then of this with an empty SHA256
}

// Save writes the training so far to path, a safetensors file that Load reads: the trained parameters, AdamW's moments and step, the
// log, the state of the device's generator, and more, as JSON. It waits for the device. On a CPU it uses no additional memory.
func (t *Trainer) Save(path string, more any) error {
	extra, err := json.Marshal(more)
	if err != nil {
		return err
	}
	return torch.Run(func(s *torch.Scope) error {
		var ts []checkpoint.Tensor
		for _, n := range t.stateTensors(s) {
			ts = append(ts, checkpoint.Tensor{Name: n.name, DType: n.dtype, Shape: n.Shape(), Data: s.Bytes(n.Tensor)})
		}
		st := state{Version: stateVersion, Taken: t.Taken(), Processed: t.processed, More: extra}
		if st.SHA256, err = st.digest(ts); err != nil {
			return err
		}
		b, err := json.Marshal(st)
		if err != nil {
			return err
		}
		return checkpoint.Write(path, ts, map[string]string{"state": string(b)})
	})
}

// named is a tensor of a state.
type named struct {
	name  string
	dtype checkpoint.DType
	*torch.Tensor
}

// stateTensors lists the tensors of a state, sorted by name.
func (t *Trainer) stateTensors(s *torch.Scope) []named {
	p := t.params
	return []named{{"exp_avg", "F32", p.m}, {"exp_avg_sq", "F32", p.v}, {"log", "F32", t.log}, {"loss", "F32", p.loss},
		{"param", "F32", p.value}, {"random", "U8", s.RandomState(p.value.Device())}, {"step", "F32", p.step}}
}

func (st state) digest(ts []checkpoint.Tensor) (string, error) {
	h := sha256.New()
	for _, t := range ts {
		h.Write(t.Data)
	}
	st.SHA256 = ""
	b, err := json.Marshal(st)
	h.Write(b)
	return hex.EncodeToString(h.Sum(nil)), err
}

// Load restores the training to where it was when Save wrote path, and stores in more what was saved with it. The trainer must have
// equal parameters and options. After an error the training must begin again, with Params.Restore and Reset.
func (t *Trainer) Load(path string, more any) error {
	f, err := checkpoint.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var st state
	d := json.NewDecoder(strings.NewReader(f.Metadata()["state"]))
	d.DisallowUnknownFields()
	if err := d.Decode(&st); err != nil || st.Version != stateVersion || st.Taken < 0 || st.Taken > t.Steps {
		return fmt.Errorf("%s: not the state of a training of %d steps, as this version writes it", path, t.Steps)
	}
	return torch.Run(func(s *torch.Scope) error {
		var ts []checkpoint.Tensor
		all := t.stateTensors(s)
		for _, n := range all {
			from, _, err := f.Tensor(n.name)
			if err != nil {
				return err
			}
			if want := n.Shape(); from.DType != n.dtype || !slices.Equal(from.Shape, want) {
				return fmt.Errorf("%s: %s is %s of shape %v, want %s of %v", path, n.name, from.DType, from.Shape, n.dtype, want)
			}
			ts = append(ts, from)
		}
		if sum, err := st.digest(ts); err != nil || sum != st.SHA256 {
			return fmt.Errorf("%s: its SHA-256 is not the one written in it: the file is damaged", path)
		}
		if err := json.Unmarshal(st.More, more); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for i, n := range all {
			if n.name == "random" {
				on := t.params.value.Device()
				torch.SetRandomState(on, s.FromBytes(ts[i].Data, torch.UInt8, ts[i].Shape...))
				if !bytes.Equal(s.Bytes(s.RandomState(on)), ts[i].Data) {
					return fmt.Errorf("%s: %s does not take back the state of its generator", path, on)
				}
			} else {
				torch.Copy(n.Tensor, s.FromBytes(ts[i].Data, torch.Float32, ts[i].Shape...))
			}
		}
		for t.Reset(); len(t.rates) < st.Taken; {
			t.rates = append(t.rates, t.At(len(t.rates)))
		}
		t.processed = st.Processed
		return nil
	})
}
