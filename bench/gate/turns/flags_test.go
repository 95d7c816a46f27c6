package turns

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSplit(t *testing.T) {
	for _, tt := range []struct {
		why          string
		flags        []string
		build, bench []string
		err          string
	}{
		{why: "nothing"},
		{why: "each to its own", flags: []string{"-race", "-tags=a,b", "-cpu", "2", "--batch", "8", "-dora", "-lr=1e-4,2e-4", "-test.benchmem"},
			build: []string{"-race", "-tags=a,b"}, bench: []string{"-test.cpu=2", "-batch=8", "-dora", "-lr=1e-4,2e-4", "-test.benchmem"}},
		{why: "a value may begin with a dash only after =", flags: []string{"-gcflags=-N -l", "-x"}, build: []string{"-gcflags=-N -l", "-x"}},
		{why: "-args changes nothing", flags: []string{"-v", "-args", "-eval=0"}, bench: []string{"-test.v", "-eval=0"}},
		{why: "an empty value is one", flags: []string{"-data="}, bench: []string{"-data="}},
		{why: "steps are an option", flags: []string{"-benchtime=5x"}, err: "sets -benchtime"},
		{why: "in the other spelling too", flags: []string{"--test.count", "3"}, err: "sets -count"},
		{why: "the turns choose the seeds", flags: []string{"-seed", "1"}, err: "sets -seed"},
		{why: "packages are no flags", flags: []string{"./bench"}, err: `"./bench" is no flag`},
	} {
		t.Run(tt.why, func(t *testing.T) {
			build, bench, err := split(tt.flags)
			if tt.err != "" {
				require.ErrorContains(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.build, build)
			assert.Equal(t, tt.bench, bench)
		})
	}
}

func TestShared(t *testing.T) {
	head, base := t.TempDir(), t.TempDir()
	touch := func(dir, name string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, nil, 0o644))
		return path
	}
	touch(head, "both.json")
	touch(base, "both.json")
	mine := touch(head, "mine.json")
	touch(head, "random")
	got := shared([]string{"-data=mine.jsonl", "-data=mine.json", "-model=both.json", "-model=hash:mine.json", "-order=random", "-tokenizer=", "-data=" + mine, "-dora"}, head, base)
	assert.Equal(t, []string{"-data=mine.jsonl", "-data=" + mine, "-model=both.json", "-model=hash:" + mine, "-order=random", "-tokenizer=", "-data=" + mine, "-dora"}, got)
}
