package record

import "strings"

// Full is the rank that trains every weight instead of an adapter.
const Full = "full"

// Settings is everything a run depends on besides its rank and seed. Keys are the Trainer's and PEFT's where they have the setting.
type Settings struct {
	Model        string   `json:"model"`
	Tokenizer    string   `json:"tokenizer,omitempty"` // folder; empty means the model's
	Data         string   `json:"data"`
	Recipe       string   `json:"recipe"`
	Alpha        float64  `json:"lora_alpha"`
	RSLoRA       bool     `json:"use_rslora"`
	DoRA         bool     `json:"use_dora"`
	Dropout      float64  `json:"lora_dropout"`
	ModelDropout float64  `json:"model_dropout"`
	LR           float64  `json:"learning_rate"`
	Targets      []string `json:"target_modules"`
	Batch        int      `json:"per_device_train_batch_size"`
	Accum        int      `json:"gradient_accumulation_steps"`
	MaxLength    int      `json:"max_length"`
	Order        string   `json:"order"`
	Adapter      string   `json:"adapter,omitempty"` // PEFT folder to start from
	Device       string   `json:"device"`
	DType        string   `json:"dtype"`
	AdapterDType string   `json:"adapter_dtype,omitempty"` // of the adapter's products where dtype is bfloat16
	TF32         bool     `json:"tf32"`
	Kernels      string   `json:"kernels,omitempty"` // what computed, where a CPU has several
	Graphs       string   `json:"graphs"`
	Checkpoint   bool     `json:"gradient_checkpointing"`
	RowTokens    int      `json:"row_tokens"` // micro-batches joined up to so many tokens
	Seed         int64    `json:"seed"`
	Limit        int      `json:"limit,omitempty"`       // use only the first records; 0 is all
	Eval         int      `json:"eval"`                  // records held out
	Forget       string   `json:"forget,omitempty"`      // text that is not of the task; empty is none
	EvalEvery    int      `json:"eval_steps,omitempty"`  // steps between held-out losses; 0 is only at the end
	TargetLoss   float64  `json:"target_loss,omitempty"` // held-out loss to time; 0 is none
	Steps        int      `json:"max_steps"`             // the schedule's length
	Out          string   `json:"-"`
}

type ModelInfo struct {
	Name       string         `json:"name"`
	Revision   string         `json:"revision,omitempty"`
	SHA256     string         `json:"sha256"`
	Parameters int64          `json:"parameters"`
	Config     map[string]any `json:"config"` // config.json's fields
}

type DataInfo struct {
	Name           string         `json:"name"`
	Revision       string         `json:"revision,omitempty"`
	SHA256         string         `json:"sha256"`
	Skipped        []string       `json:"skipped_files,omitempty"`
	Left           map[string]any `json:"left_out,omitempty"` // what training did not use of the data: fields of data.Left
	Train          int            `json:"train_records"`
	Held           int            `json:"eval_records"`
	EvalLossBase   *float64       `json:"eval_loss_base,omitempty"` // the base model's, which every rank starts from
	EvalHalvesBase []float64      `json:"eval_loss_halves_base,omitempty"`
	Forget         string         `json:"forget,omitempty"` // text that is not of the task
	ForgetSHA256   string         `json:"forget_sha256,omitempty"`
	ForgetRecords  int            `json:"forget_records,omitempty"`
	ForgetLeft     map[string]any `json:"forget_left_out,omitempty"`
	ForgetLossBase *float64       `json:"forget_loss_base,omitempty"`
}

type Machine struct {
	Device  string `json:"device"`
	GPU     string `json:"gpu,omitempty"`
	Driver  string `json:"driver,omitempty"`
	CPU     string `json:"cpu"`
	Threads int    `json:"threads"`
	OS      string `json:"os"`
	Go      string `json:"go"`
	Torch   string `json:"torch"`
	Commit  string `json:"commit"` // of lorabench; + where the tree differs from it
}

// IsStandIn reports whether a GPU's name is that of internal/fakecuda's device, whose kernels compute nothing.
func IsStandIn(gpu string) bool { return strings.Contains(gpu, "(stand-in)") }
