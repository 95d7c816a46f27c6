// Package models opens a model folder by its config.json's model_type: OPT and the families beside it.
package models

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"lorabench/internal/decoder"
	"lorabench/internal/llama"
	"lorabench/internal/torch"
	"lorabench/opt"
)

// ReadConfig reads a config.json, or the one in a folder, and checks that its family's package computes what it describes.
func ReadConfig(path string) (decoder.Config, error) {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		path = filepath.Join(path, "config.json")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("model config: %w", err)
	}
	c, err := ParseConfig(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// ParseConfig is ReadConfig for the file's content.
func ParseConfig(data []byte) (decoder.Config, error) {
	var kind struct {
		ModelType string `json:"model_type"`
	}
	err := json.Unmarshal(data, &kind) // what is no JSON object is refused by opt's reader
	if slices.Contains(llama.Families, kind.ModelType) {
		return llama.ParseConfig(data)
	}
	if err == nil && kind.ModelType != "opt" {
		return nil, fmt.Errorf("model_type is %q, want \"opt\" or one of %q: other models are not supported", kind.ModelType, llama.Families)
	}
	return opt.ParseConfig(data)
}

// Load reads a model folder: config.json and its weights, which are converted to d on the device. s owns them.
func Load(s *torch.Scope, dir string, d torch.DType, on torch.Device) (*decoder.Model, decoder.Source, error) {
	c, err := ReadConfig(dir)
	if err != nil {
		return nil, decoder.Source{}, err
	}
	return decoder.Load(s, c, dir, d, on)
}
