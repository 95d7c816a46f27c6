package record

// Peak is memory in bytes; nil is what was not measured. GPU figures are of PyTorch's caching
// allocator, RSS is of the whole process.
type Peak struct {
	GPUAllocated *int64 `json:"gpu_allocated_bytes,omitempty"`
	GPUReserved  *int64 `json:"gpu_reserved_bytes,omitempty"`
	RSS          *int64 `json:"rss_bytes,omitempty"`
}

// The categories that memory at a run's peak is told apart into, in the order in which they are shown.
const (
	Process     = "process"       // libtorch, Go, the program itself; on a CPU only
	Weights     = "base weights"  // of the frozen model
	Adapter     = "adapter"       // A and B; for rank full the trained copy of every weight
	Gradients   = "gradients"     // of what is trained
	Optimizer   = "optimizer"     // AdamW's two moments
	Activations = "activations"   // kept from the forward pass for the backward pass
	Head        = "head and loss" // logits of a chunk, beyond what the forward pass keeps
	Workspace   = "workspace"     // what a layer needs beyond that for a moment
	Slack       = "slack"         // held by the allocator, or not returned to the system, and used by nobody
)

// Categories is their order.
var Categories = []string{Process, Weights, Adapter, Gradients, Optimizer, Activations, Head, Workspace, Slack}

// Category is one category's bytes: as the configuration predicts them and as the allocator counted
// them. nil is what is not predicted or was not measured.
type Category struct {
	Name      string `json:"name"`
	Predicted *int64 `json:"predicted_bytes,omitempty"`
	Measured  *int64 `json:"measured_bytes,omitempty"`
}

// Holder is another process that held memory of the same GPU during the run: figures of speed, and
// whether the run fits, are then not this run's alone.
type Holder struct {
	PID   int    `json:"pid"`
	Name  string `json:"name,omitempty"`
	Bytes int64  `json:"bytes,omitempty"` // 0 where the driver does not tell
}
