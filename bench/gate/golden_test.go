package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write what the command prints into the archives, but no other exit status")

// TestMain keeps the CI system that runs these tests out of what they print.
func TestMain(m *testing.M) {
	for _, name := range []string{"GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"} {
		os.Unsetenv(name)
	}
	os.Exit(m.Run())
}

// TestGolden runs the command as each archive of testdata says. An archive is
//
//	why it is there
//	-- args --       an argument a line
//	-- env --        NAME=value, a line each
//	-- status --     what the command exits with
//	-- stdout --     and prints
//	-- stderr --
//	-- want/NAME --  and what it leaves in the file NAME
//
// and the files that it finds in its folder. A file NAME+crlf is there as NAME with CRLF line ends, NAME+bom
// with a byte order mark, NAME+cut without its last line end: editors would lose them.
func TestGolden(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		abs, err := filepath.Abs(path)
		require.NoError(t, err)
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) { golden(t, abs) })
	}
}

func golden(t *testing.T, path string) {
	archive, err := txtar.ParseFile(path)
	require.NoError(t, err)
	require.NotEmpty(t, strings.TrimSpace(string(archive.Comment)), "say why the archive is there")
	t.Chdir(t.TempDir())
	var args []string
	for _, f := range archive.Files {
		switch {
		case f.Name == "args":
			args = lines(f.Data)
		case f.Name == "env":
			for _, l := range lines(f.Data) {
				name, value, ok := strings.Cut(l, "=")
				require.True(t, ok, "env: %s", l)
				t.Setenv(name, value)
			}
		case f.Name == "status" || f.Name == "stdout" || f.Name == "stderr" || strings.HasPrefix(f.Name, "want/"):
		default:
			place(t, f)
		}
	}
	var stdout, stderr bytes.Buffer
	status := run(args, &stdout, &stderr)
	got := map[string][]byte{"status": []byte(strconv.Itoa(status) + "\n"), "stdout": stdout.Bytes(), "stderr": stderr.Bytes()}
	missing := []string{"status", "stdout", "stderr"}
	for i, f := range archive.Files {
		if name, ok := strings.CutPrefix(f.Name, "want/"); ok {
			got[f.Name], err = os.ReadFile(name)
			require.NoError(t, err)
		}
		if have, ok := got[f.Name]; ok {
			if *update && f.Name != "status" { // which is never changed but by hand
				archive.Files[i].Data = have
			} else {
				require.Equal(t, string(f.Data), string(have), "%s: after a wanted change: go test ./bench/gate -update", f.Name)
			}
			missing = without(missing, f.Name)
		}
	}
	if !*update {
		require.Empty(t, missing, "go test ./bench/gate -update writes them")
		return
	}
	for _, name := range missing {
		archive.Files = append(archive.Files, txtar.File{Name: name, Data: got[name]})
	}
	require.NoError(t, os.WriteFile(path, txtar.Format(archive), 0o666))
}

func lines(data []byte) []string { return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") }

func without(list []string, s string) []string {
	var out []string
	for _, l := range list {
		if l != s {
			out = append(out, l)
		}
	}
	return out
}

func place(t *testing.T, f txtar.File) {
	name, how, _ := strings.Cut(f.Name, "+")
	data := f.Data
	switch how {
	case "":
	case "crlf":
		data = bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n"))
	case "bom":
		data = append([]byte("\ufeff"), data...)
	case "cut":
		data = bytes.TrimSuffix(data, []byte("\n"))
	default:
		t.Fatalf("%s: no such way to write a file", f.Name)
	}
	if dir := filepath.Dir(name); dir != "." {
		require.NoError(t, os.MkdirAll(dir, 0o777))
	}
	require.NoError(t, os.WriteFile(name, data, 0o666))
}
