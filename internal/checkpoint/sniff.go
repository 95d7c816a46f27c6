package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// isZip reports whether data begins as a zip archive does. A safetensors file
// would have to have a header of just 67,324,752 bytes to begin so; the next
// four bytes, never all zero in torch.save's archives, rule even that out.
func isZip(data []byte) bool {
	return bytes.HasPrefix(data, []byte("PK\x03\x04")) && !bytes.HasPrefix(data[4:], make([]byte, 4))
}

// notWeights returns an error for what failed downloads leave in the place of
// weights. None of these can begin a safetensors file: read as the length of
// its header, their first eight bytes are far above the limit.
func notWeights(data []byte) error {
	if bytes.HasPrefix(data, []byte("version https://git-lfs")) {
		return errors.New(`a Git LFS pointer, not the weights themselves; run "git lfs pull" in its repository, or download the file itself`)
	}
	head := bytes.ToLower(bytes.TrimLeft(data[:min(len(data), 256)], "\xef\xbb\xbf \t\r\n"))
	for _, tag := range []string{"<!doctype", "<html", "<?xml"} {
		if bytes.HasPrefix(head, []byte(tag)) {
			return errors.New("a web page, not weights; the download got an error or login page: download the file again")
		}
	}
	return nil
}

// legacyMagic is the number that begins torch.save's format before PyTorch 1.6,
// as LONG1 writes it (torch/serialization.py, MAGIC_NUMBER).
var legacyMagic = []byte{0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19}

// oldPickle returns an error for pickles outside a zip archive. A safetensors
// file whose header takes 640 bytes begins like a pickle of protocol 2, so only
// data that cannot be safetensors are called a pickle.
func oldPickle(data []byte) error {
	if len(data) < 8 || binary.LittleEndian.Uint64(data) <= maxHeader || data[0] != 0x80 || data[1] < 2 || data[1] > 5 {
		return nil
	}
	const todo = "; load it in Python and save it again with torch.save (PyTorch 1.6 or later) or safetensors.torch.save_file"
	if bytes.Contains(data[:min(len(data), 64)], legacyMagic) {
		return errors.New("torch.save's legacy format of before PyTorch 1.6, which this program does not read" + todo)
	}
	return errors.New("a bare pickle, not torch.save's zip format" + todo)
}
