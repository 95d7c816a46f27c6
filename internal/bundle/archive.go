package main

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"lorabench/internal/file"
	"lorabench/internal/root"
)

// list writes the manifest of the files in dir.
func list(m *root.Manifest, dir string) error {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(b)
		m.Files = append(m.Files, root.File{Path: filepath.ToSlash(rel), Bytes: int64(len(b)), SHA256: hex.EncodeToString(sum[:])})
		return nil
	})
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	return file.Write(filepath.Join(dir, root.ManifestName), append(b, '\n'))
}

// pack writes the archive. Owners and times stay out: the same bundle is the same archive.
func pack(path, dir string, m root.Manifest) error {
	return file.Replace(path, func(w io.Writer) error {
		z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
		if err != nil {
			return err
		}
		t := tar.NewWriter(z)
		for _, f := range append([]root.File{{Path: root.ManifestName}}, m.Files...) {
			b, err := os.ReadFile(filepath.Join(dir, f.Path))
			if err != nil {
				return err
			}
			info, err := os.Stat(filepath.Join(dir, f.Path))
			if err != nil {
				return err
			}
			h := &tar.Header{Name: filepath.Base(dir) + "/" + f.Path, Mode: int64(info.Mode().Perm()), Size: int64(len(b)), Typeflag: tar.TypeReg}
			if err := t.WriteHeader(h); err != nil {
				return err
			}
			if _, err := t.Write(b); err != nil {
				return err
			}
		}
		if err := t.Close(); err != nil {
			return err
		}
		return z.Close()
	})
}

var versionLine = regexp.MustCompile(`(?m)^__version__ *= *['"]([^'"]+)['"]`)

// torchVersion reads the version, with the build, of the libtorch that was linked.
func torchVersion(dir string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, "version.py"))
	if err != nil {
		return "", err
	}
	found := versionLine.FindSubmatch(b)
	if found == nil {
		return "", fmt.Errorf("%s/version.py has no __version__", dir)
	}
	return string(found[1]), nil
}
