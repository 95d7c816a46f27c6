package bench

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/bench/record"
	"lorabench/internal/root"
	"lorabench/internal/torch"
)

func parse(t *testing.T, steps int, args ...string) (Settings, string, error) {
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	f := Register(fs)
	require.NoError(t, fs.Parse(args))
	return f.Parsed(steps)
}

func TestRecipesGiveDefaults(t *testing.T) {
	s, note, err := parse(t, 7, "-device=cpu", "-recipe=reported", "-forget=none")
	require.NoError(t, err)
	root, err := root.Dir()
	require.NoError(t, err)
	t.Chdir(root) // in a bundle -out is relative to where the user is
	require.Contains(t, note, "stand in for facebook/opt-350m")
	qv := []string{"q_proj", "v_proj"}
	require.Equal(t, Settings{Ranks: []string{"8", "128", "256"}, Alphas: []string{"16"}, LRs: []float64{2e-4}, Modules: [][]string{qv}, Settings: record.Settings{
		Model: filepath.Join(root, "testdata/small"), Data: filepath.Join(root, "testdata/small/train.jsonl.gz"), Recipe: "reported", Alpha: 16, Dropout: 0.1, ModelDropout: Unset, LR: 2e-4, Targets: []string{"q_proj", "v_proj"},
		Batch: 4, Accum: 4, MaxLength: 1024, Order: "random", Device: "cpu", DType: "float32", Kernels: "auto", Graphs: "off", RowTokens: 1024, Seed: 42, Eval: Unset, Steps: 7,
	}}, s)
	s, note, err = parse(t, 0, "-device=cpu", "-recipe=assigned", "-model=a/b", "-data=c/d", "-lr=0.5", "-ranks=full,2", "-out=x")
	require.NoError(t, err)
	require.Empty(t, note)
	require.Equal(t, Settings{Ranks: []string{"full", "2"}, Alphas: []string{"32"}, LRs: []float64{0.5}, Modules: [][]string{qv}, Settings: record.Settings{
		Model: "a/b", Data: "c/d", Recipe: "assigned", Alpha: 32, Dropout: 0.1, ModelDropout: Unset,
		LR: 0.5, Targets: []string{"q_proj", "v_proj"}, Batch: 8, Accum: 1, MaxLength: 128, Order: "random", Device: "cpu",
		DType: "float32", Kernels: "auto", Graphs: "off", RowTokens: 1024, Seed: 42, Eval: Unset, Steps: 1000, Out: filepath.Join(root, "x"),
	}}, s)
}

// TestTheDefaultRunComparesEachRankAtSeveralRates: the reference's recipe is everywhere else, and a flag wins.
func TestTheDefaultRunComparesEachRankAtSeveralRates(t *testing.T) {
	root, err := root.Dir()
	require.NoError(t, err)
	reference, other := []string{"8", "128", "256"}, filepath.Join(root, smallOther)
	for _, c := range []struct {
		why, recipe, forget string
		args, ranks         []string
		rates               int
	}{
		{"nothing is named", "small", other, nil, []string{"1", "8", "64", "full"}, 3},
		{"flags win", "small", "", []string{"-ranks=2", "-lr=1e-3", "-forget=none"}, []string{"2"}, 1},
		{"full training is in float32", "small", other, []string{"-dtype=bf16"}, []string{"1", "8", "64"}, 3},
		{"the reference's recipe by name", "reported", "", []string{"-recipe=reported"}, reference, 1},
		{"another model", "reported", "", []string{"-model=a/b", "-data=c/d"}, reference, 1},
		{"the same model by name", "reported", "", []string{"-model=" + smallModel, "-data=" + smallData}, reference, 1},
		{"the recipe for another model", "small", "e/f", []string{"-model=a/b", "-data=c/d", "-recipe=small", "-forget=e/f"},
			[]string{"1", "8", "64", "full"}, 3},
	} {
		s, note, err := parse(t, 7, append([]string{"-device=cpu"}, c.args...)...)
		require.NoError(t, err, c.why)
		require.Equal(t, c.recipe, s.Recipe, c.why)
		require.Equal(t, c.forget, s.Forget, c.why)
		require.Equal(t, c.ranks, s.Ranks, c.why)
		require.Len(t, s.LRs, c.rates, c.why)
		require.Equal(t, c.recipe == smallRecipe && c.forget != "e/f", strings.Contains(note, "recipe small"), c.why)
	}
}

func TestFlagsThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		why  string
		args []string
		text string
	}{
		{"an unknown recipe", []string{"-recipe=x"}, `-recipe is "x", want reported, assigned or small`},
		{"no ranks", []string{"-ranks=,"}, "-ranks is empty"},
		{"a rank of 0", []string{"-ranks=0"}, `-ranks has "0"`},
		{"a rank that is no number", []string{"-ranks=8,x"}, `-ranks has "x"`},
		{"a number in another spelling would be the same rank under two names", []string{"-ranks=8,08"}, `-ranks has "08"`},
		{"a rank twice", []string{"-ranks=8,8"}, "-ranks has 8 twice"},
		{"full keeps float32 weights", []string{"-ranks=full", "-dtype=bf16"}, "-dtype is bfloat16"},
		{"full has no adapter", []string{"-ranks=full", "-adapter=testdata/parity/post/adapter"}, "no adapter to start from"},
		{"an unknown dtype", []string{"-dtype=fp8"}, `-dtype is "fp8"`},
		{"an unknown adapter dtype", []string{"-dtype=bf16", "-adapter-dtype=fp8"}, `-adapter-dtype is "fp8", want auto, bf16 or float32`},
		{"bfloat16 products of DoRA", []string{"-dtype=bf16", "-dora", "-adapter-dtype=bf16"}, "so give -adapter-dtype=float32"},
		{"bfloat16 products over a float32 base", []string{"-adapter-dtype=bf16"}, "give -dtype=bf16 too"},
		{"graphs are on or off", []string{"-graphs=maybe"}, `-graphs is "maybe", want auto, on or off`},
		{"TF32 is CUDA's", []string{"-tf32"}, "-tf32 is for CUDA devices, -device is cpu"},
		{"a negative row", []string{"-row-tokens=-2"}, "-row-tokens is -2, want at least 0"},
		{"an unknown order", []string{"-order=up"}, `-order is "up"`},
		{"no batch", []string{"-batch=0"}, "-batch is 0, want at least 1"},
		{"everything dropped", []string{"-dropout=1"}, "-dropout is 1"},
		{"a negative model dropout", []string{"-model-dropout=-0.5"}, "-model-dropout is -0.5"},
		{"a rate of nothing", []string{"-lr=0"}, "-lr is 0"},
		{"a rate that is no number", []string{"-lr=1e-4,fast"}, `-lr has "fast", want numbers such as 2e-4`},
		{"a rate in two spellings would be two arms of one name", []string{"-lr=0.0002,2e-4"}, "-lr has 2e-4 twice"},
		{"an alpha of nothing", []string{"-alpha=0"}, `-alpha has "0"`},
		{"an alpha that is no number", []string{"-alpha=16,root"}, `-alpha has "root"`},
		{"no targets", []string{"-targets=q_proj:"}, "-targets has an empty list"},
		{"the same targets twice", []string{"-targets=q_proj:q_proj"}, "-targets has q twice"},
		{"an adapter that is not there", []string{"-adapter=x"}, "x"},
		{"an adapter has one alpha", []string{"-adapter=testdata/parity/post/adapter", "-alpha=1,2"}, "-alpha contradicts the adapter, whose scaling is lora_alpha"},
		{"and one rank", []string{"-adapter=testdata/parity/post/adapter", "-ranks=77"}, "-ranks contradicts the adapter, whose r is"},
		{"and dropout", []string{"-adapter=testdata/parity/post/adapter", "-dropout=0.77"}, "-dropout contradicts the adapter"},
		{"and targets", []string{"-adapter=testdata/parity/post/adapter", "-targets=fc1"}, "-targets contradicts the adapter"},
		{"and kind", []string{"-adapter=testdata/parity/post/adapter", "-dora"}, "-dora contradicts the adapter"},
		{"full training has no magnitudes", []string{"-ranks=full", "-dora"}, "-dora is on"},
		{"a target that nobody measures", []string{"-target-loss=2", "-eval=0"}, "without held-out records there is no held-out loss"},
		{"a snapshot is of CUDA's allocator", []string{"-memory-snapshot", "-out=x"}, "-memory-snapshot is of CUDA's allocator"},
		{"a negative interval", []string{"-eval-every=-1"}, "-eval-every is -1, want at least 0"},
		{"one token predicts nothing", []string{"-max-length=1"}, "-max-length is 1"},
		{"fewer than no records", []string{"-eval=-2"}, "-eval is -2"},
		{"an unknown device", []string{"-device=tpu"}, `device "tpu"`},
		{"half a default", []string{"-data=x.json"}, `-model is "" and -data "x.json": name both`},
		{"the other half", []string{"-model=x"}, `-model is "x" and -data "": name both`},
	} {
		_, _, err := parse(t, 1, append([]string{"-device=cpu"}, c.args...)...)
		require.ErrorContains(t, err, c.text, c.why)
	}
}

// TestAdapterDType: auto follows the device, what is named stays, and a float32 base has nothing to say.
func TestAdapterDType(t *testing.T) {
	auto := "float32"
	if torch.CPU.HasBFloat16() {
		auto = "bfloat16"
	}
	for _, c := range []struct {
		why  string
		args []string
		want string
	}{
		{"a float32 base", nil, ""},
		{"a float32 base and its own type by name", []string{"-adapter-dtype=float32"}, ""},
		{"auto", []string{"-dtype=bf16"}, auto},
		{"by name, on any CPU", []string{"-dtype=bf16", "-adapter-dtype=bf16"}, "bfloat16"},
		{"auto for DoRA", []string{"-dtype=bf16", "-dora"}, "float32"},
		{"as it was", []string{"-dtype=bf16", "-adapter-dtype=float32"}, "float32"},
	} {
		s, _, err := parse(t, 1, append([]string{"-device=cpu"}, c.args...)...)
		require.NoError(t, err, c.why)
		require.Equal(t, c.want, s.AdapterDType, c.why)
		a, err := s.Arms()[0].Config(s)
		require.NoError(t, err, c.why)
		require.Equal(t, c.want == "bfloat16", a.BFloat16, c.why)
		if c.want == "" {
			require.NotContains(t, s.line(), "adapter-dtype", c.why)
		} else {
			require.Contains(t, s.line(), "adapter-dtype="+c.want, c.why)
		}
	}
}

func TestStepsOf(t *testing.T) {
	for _, c := range []struct {
		why, in string
		want    int
	}{
		{"steps", "1000x", 1000},
		{"a duration leaves the length to the recipe", "30s", 0},
	} {
		n, err := StepsOf(c.in)
		require.NoError(t, err, c.why)
		require.Equal(t, c.want, n, c.why)
	}
	_, err := StepsOf("0x")
	require.ErrorContains(t, err, `-benchtime is "0x"`)
}

func TestShownPathsAreNotOfOneMachine(t *testing.T) {
	root, err := root.Dir()
	require.NoError(t, err)
	require.Equal(t, "testdata/small", shown(filepath.Join(root, "testdata", "small")))
	require.Equal(t, "models/opt", shown(filepath.Join(string(os.PathSeparator), "somewhere", "models", "opt")))
	require.Equal(t, "facebook/opt-350m", shown("facebook/opt-350m"))
	t.Setenv("HOME", filepath.FromSlash("/home/ada"))
	for path, want := range map[string]string{"/home/ada/opt": "opt", "/home/bob/opt": "opt", "/scratch/ada/opt": "opt", "/home/ada": "~",
		"/home/ada/models/opt": "models/opt"} {
		require.Equal(t, want, shown(filepath.FromSlash(path)), path)
	}
	t.Setenv("HOME", filepath.FromSlash("/root"))
	require.Equal(t, "models/opt", shown(filepath.FromSlash("/models/opt")), "the same as for another user")
}

// TestAnAdapterBringsItsSettings: what it was made with is what the settings line and the arm say.
func TestAnAdapterBringsItsSettings(t *testing.T) {
	s, _, err := parse(t, 1, "-device=cpu", "-recipe=reported", "-adapter=testdata/parity/post/adapter", "-ranks=4", "-alpha=8")
	require.NoError(t, err)
	require.Equal(t, []Arm{{Name: "rank=4", Rank: "4", Alpha: 8, LR: 2e-4, Targets: []string{"q_proj", "v_proj"}}}, s.Arms())
	require.Contains(t, s.line(), "alpha=8 lr=2e-4 targets=q,v dropout=0 ")
}
