package report

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lorabench/bench/compare"
)

// browser finds Chromium: in CHROME, or by its usual names.
func browser(t *testing.T) string {
	if path := os.Getenv("CHROME"); path != "" {
		return path
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no Chromium here: install chromium, or name one in CHROME, to see the page rendered")
	return ""
}

// headless runs the browser on a file, with a profile of its own that is thrown away.
func headless(t *testing.T, chrome, page string, args ...string) []byte {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	args = append([]string{"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
		"--disable-extensions", "--disable-background-networking", "--user-data-dir=" + t.TempDir()}, args...)
	cmd := exec.CommandContext(ctx, chrome, append(args, "file://"+page)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s: %s", chrome, stderr.String())
	return out
}

// probe measures the page in the browser: the report itself has no script.
const probe = `<script>
const wide = [...document.querySelectorAll("body *")].filter(e => !e.closest(".scroll") && !e.closest("svg") && e.getBoundingClientRect().right > innerWidth + 1);
const cut = [...document.querySelectorAll("svg")].filter(s => { const b = s.getBoundingClientRect();
  return [...s.querySelectorAll("text")].some(t => { const r = t.getBoundingClientRect(); return r.left < b.left - 3 || r.right > b.right + 3 || r.top < b.top - 3 || r.bottom > b.bottom + 3; }); });
const names = es => es.map(e => e.id || e.parentElement.id || e.tagName).join() || "none";
parent.postMessage("width " + innerWidth + "; sticking out: " + names(wide) + "; text outside: " + names(cut) +
  "; background " + getComputedStyle(document.body).backgroundColor + "; ", "*");
</script>`

func TestInABrowser(t *testing.T) {
	chrome := browser(t)
	all := studies(t)
	dark := []string{"--blink-settings=preferredColorScheme=0"}
	for _, c := range []struct {
		why, study    string
		width, height int
		back          string
		args          []string
	}{
		{"a desktop", "full", 1280, 900, "rgb(255, 255, 255)", nil},
		{"a dark desktop", "usual", 1280, 900, "rgb(20, 23, 27)", dark},
		{"a phone", "full", 390, 844, "rgb(255, 255, 255)", nil},
		{"a phone, and long names", "arms", 390, 844, "rgb(255, 255, 255)", nil},
		{"a dark phone, and odd names", "odd", 390, 844, "rgb(20, 23, 27)", dark},
	} {
		t.Run(c.why, func(t *testing.T) {
			dir := t.TempDir()
			_, err := Write(dir, all[c.study], compare.Options{})
			require.NoError(t, err)
			path := filepath.Join(dir, "report.html")
			b, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path, append(b, probe...), 0o666))
			// A window is never narrower than 500: the page is in a frame of the width that is meant.
			frame := filepath.Join(dir, "frame.html")
			require.NoError(t, os.WriteFile(frame, fmt.Appendf(nil, `<body style="margin:0"><iframe id="f" src="report.html" width="%d" height="%d" style="border:0;display:block"></iframe>
<script>onmessage = e => document.body.append(e.data)</script>`, c.width, c.height), 0o666))
			size := fmt.Sprintf("--window-size=%d,%d", max(500, c.width), c.height)
			shot := filepath.Join(dir, "shot.png")
			dom := string(headless(t, chrome, frame, append(c.args, size, "--virtual-time-budget=5000", "--dump-dom", "--screenshot="+shot)...))
			assert.Contains(t, dom, fmt.Sprintf("width %d; ", c.width))
			assert.Contains(t, dom, "sticking out: none; ", "nothing sticks out to the side but inside its own box")
			assert.Contains(t, dom, "text outside: none; ", "no text is outside its drawing")
			assert.Contains(t, dom, "background "+c.back+"; ")
			img := decode(t, shot)
			assert.Equal(t, max(500, c.width), img.Bounds().Dx())
			assert.Equal(t, c.height, img.Bounds().Dy())
			assert.Greater(t, inks(img), 8, "something is drawn")
		})
	}
}

func decode(t *testing.T, path string) image.Image {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	img, err := png.Decode(bytes.NewReader(b))
	require.NoError(t, err)
	return img
}

// inks counts an image's colours.
func inks(img image.Image) int {
	seen := map[[3]uint32]bool{}
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y += 3 {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x += 3 {
			r, g, b, _ := img.At(x, y).RGBA()
			seen[[3]uint32{r >> 8, g >> 8, b >> 8}] = true
		}
	}
	return len(seen)
}
