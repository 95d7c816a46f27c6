package hub

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// hfHome returns huggingface_hub's home folder, "" if nothing names it.
func hfHome() string {
	if home := expand(os.Getenv("HF_HOME")); home != "" {
		return home
	}
	if cache := expand(os.Getenv("XDG_CACHE_HOME")); cache != "" {
		return filepath.Join(cache, "huggingface")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".cache", "huggingface")
}

var variable = regexp.MustCompile(`\$(\w+|\{[^}]*\})`)

// expand replaces ~, ~user, $NAME and ${NAME} as Python's os.path.expandvars(os.path.expanduser(path)) does, which huggingface_hub
// applies to its folders: unknown names stay as they are.
func expand(path string) string {
	if name, _, _ := strings.Cut(path, "/"); strings.HasPrefix(name, "~") {
		if home, ok := homeOf(name[1:]); ok {
			path = first(strings.TrimRight(home, "/")+path[len(name):], "/")
		}
	}
	return variable.ReplaceAllStringFunc(path, func(ref string) string {
		if value, ok := os.LookupEnv(strings.Trim(ref[1:], "{}")); ok {
			return value
		}
		return ref
	})
}

func homeOf(name string) (dir string, ok bool) {
	if dir, ok = os.LookupEnv("HOME"); ok && name == "" {
		return dir, true
	}
	u, err := user.Current()
	if name != "" {
		u, err = user.Lookup(name)
	}
	if err != nil {
		return "", false
	}
	return u.HomeDir, true
}

// seconds reads an environment variable that holds a number of seconds; 0 if it is not set.
func seconds(name string) (time.Duration, error) {
	text := os.Getenv(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 1e6 {
		return 0, fmt.Errorf("%s is %q: give a number of seconds, such as 30", name, text)
	}
	return time.Duration(n) * time.Second, nil
}
