package main

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"lorabench/internal/file"
	"lorabench/internal/process"
)

//go:embed requirements.txt
var requirements string

//go:embed peer.py peer_models.py
var programs embed.FS

const pythonVariable = "LORABENCH_PEER_PYTHON"

// pythonCommand returns the Python to use: the one that LORABENCH_PEER_PYTHON names, or a virtual environment in the user's cache, made if
// there is none.
func pythonCommand(ctx context.Context, logs string, stderr io.Writer) (string, error) {
	if name := os.Getenv(pythonVariable); name != "" {
		path, err := exec.LookPath(name)
		if err == nil {
			path, err = filepath.Abs(path) // the peer runs elsewhere
		}
		if err != nil {
			return "", fmt.Errorf("%s is %q: %w: name a python that has the packages of internal/peer/requirements.txt, or unset it", pythonVariable, name, err)
		}
		return path, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no place for the peer's packages (%w): set HOME, or %s to a python that has them", err, pythonVariable)
	}
	name := fmt.Sprintf("peer-%.6x", sha256.Sum256([]byte(requirements)))
	return environment(ctx, filepath.Join(cache, "lorabench", name), logs, stderr)
}

// environment makes the virtual environment dir unless it is complete, which its marker says: that is written last.
func environment(ctx context.Context, dir, logs string, stderr io.Writer) (python string, err error) {
	python, marker := filepath.Join(dir, "bin", "python"), filepath.Join(dir, "complete")
	if err := os.MkdirAll(filepath.Dir(dir), 0o777); err != nil {
		return "", err
	}
	// After an update of the system the python that it links to may be gone.
	complete := func() bool { return file.Exists(marker) && file.Exists(python) }
	if complete() {
		return python, nil
	}
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return "", fmt.Errorf("another run is installing the peer's packages into %s (%w): try again when it is done", dir, err)
	}
	if complete() {
		return python, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", fmt.Errorf("removing the half-made %s: %w", dir, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	fmt.Fprintf(stderr, "peer: installing torch, transformers, peft and accelerate into %s, once: about 3 GB to download and 7 GB on disk\n"+
		"peer: (torch with its CUDA libraries; %s names a python that has them already)\n", dir, pythonVariable)
	if err := install(ctx, dir, python, logs); err != nil {
		return "", err
	}
	return python, file.Write(marker, []byte(requirements))
}

// install makes the environment and installs the packages in it.
func install(ctx context.Context, dir, python, logs string) error {
	base, err := exec.LookPath("python3")
	if err != nil {
		return fmt.Errorf("%w: install Python 3.11 or later (apt-get install python3 python3-venv)", err)
	}
	list := filepath.Join(logs, "requirements.txt")
	if err := file.Write(list, []byte(requirements)); err != nil {
		return err
	}
	tmp := filepath.Join(dir, "tmp") // pip unpacks there: /tmp is often small
	for _, step := range []struct{ what, remedy, argv string }{
		{"python3 -m venv", "install it (apt-get install python3-venv)", base + "\n-m\nvenv\n" + dir},
		{"pip install", "is there a network, room on the disk, a Python of 3.11 or later?",
			python + "\n-m\npip\ninstall\n--no-input\n--disable-pip-version-check\n--progress-bar=off\n-r\n" + list},
	} {
		if err := os.MkdirAll(tmp, 0o777); err != nil {
			return err
		}
		_, err := process.Command{What: step.what, Argv: strings.Split(step.argv, "\n"), Dir: logs,
			Env: []string{"TMPDIR=" + tmp, "PIP_USER=0", "PIP_REQUIRE_VIRTUALENV=0"}, Log: filepath.Join(logs, "install.log")}.Run(ctx)
		if err != nil {
			return fmt.Errorf("%w: %s", err, step.remedy)
		}
	}
	return os.RemoveAll(tmp)
}

// askVersions prints the versions of the packages named, without importing them.
const askVersions = `
import importlib.metadata, json, platform, sys
versions = {"python": platform.python_version()}
for name in sys.argv[1:]:
    try:
        versions[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        versions[name] = ""
print(json.dumps(versions))
`

// versionsOf asks python for the versions of the packages in requirements.txt and checks them.
func versionsOf(ctx context.Context, python, logs string) (versions map[string]string, notes []string, err error) {
	names, pinned := pins(requirements)
	log := filepath.Join(logs, "versions.log")
	if _, err := (process.Command{What: python, Argv: append([]string{python, "-c", askVersions}, names...), Dir: logs, Log: log}).Run(ctx); err != nil {
		return nil, nil, err
	}
	b, err := os.ReadFile(log)
	if err != nil {
		return nil, nil, err
	}
	if err := json.Unmarshal(b, &versions); err != nil {
		return nil, nil, fmt.Errorf("%s: asked for versions it printed %.200q: %w", python, b, err)
	}
	notes, err = checkVersions(versions, names, pinned)
	if err != nil {
		err = fmt.Errorf("%s: %w", python, err)
	}
	return versions, notes, err
}

// check prints the versions of the peer's packages, and returns 1 if one is missing. It installs nothing.
func check(ctx context.Context, stdout, stderr io.Writer) int {
	name := os.Getenv(pythonVariable)
	if name == "" {
		fmt.Fprintf(stderr, "peer: %s names no python: a run installs one of its own\n", pythonVariable)
		return 1
	}
	dir, err := os.MkdirTemp("", "lorabench-peer-")
	if err != nil {
		fmt.Fprintf(stderr, "peer: %v\n", err)
		return 1
	}
	defer os.RemoveAll(dir)
	python, err := pythonCommand(ctx, dir, stderr)
	var versions map[string]string
	if err == nil {
		versions, _, err = versionsOf(ctx, python, dir)
	}
	if err != nil {
		fmt.Fprintf(stderr, "peer: %v\n", err)
		return 1
	}
	fmt.Fprintf(stdout, "python %s, torch %s, transformers %s, peft %s, accelerate %s\n", versions["python"], versions["torch"],
		versions["transformers"], versions["peft"], versions["accelerate"])
	return 0
}

// pins parses requirements: the packages in order, and the version of each.
func pins(requirements string) (names []string, versions map[string]string) {
	versions = map[string]string{}
	for line := range strings.Lines(requirements) {
		if name, version, ok := strings.Cut(strings.TrimSpace(line), "=="); ok && !strings.HasPrefix(line, "#") {
			names, versions[name] = append(names, name), version
		}
	}
	return names, versions
}

// used maps the packages that peer.py calls to how many numbers of their version must match: torch is lorabench's libtorch, and options
// have other names in another major version.
var used = map[string]int{"torch": 2, "transformers": 1, "peft": 1, "accelerate": 1}

// checkVersions requires every package, those that are used in the pinned version; any other difference is a note below the table.
func checkVersions(have map[string]string, names []string, pinned map[string]string) (notes []string, err error) {
	for _, name := range names {
		want := pinned[name]
		got, _, _ := strings.Cut(have[name], "+") // torch's 2.11.0+cu130
		parts := used[name]
		switch {
		case got == "":
			return nil, fmt.Errorf("%s is missing, want %s: install internal/peer/requirements.txt there, or unset %s", name, want, pythonVariable)
		case release(got, parts) != release(want, parts):
			return nil, fmt.Errorf("%s is %s, want %s: install internal/peer/requirements.txt there, or unset %s", name, have[name], want, pythonVariable)
		case got != want:
			notes = append(notes, fmt.Sprintf("%s is %s; %s is what was tried.", name, have[name], want))
		}
	}
	return notes, nil
}

// release returns the first n numbers of a version.
func release(version string, n int) string {
	parts := strings.Split(version, ".")
	return strings.Join(parts[:min(n, len(parts))], ".")
}
