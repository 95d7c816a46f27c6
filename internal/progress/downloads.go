package progress

import (
	"fmt"
	"os"
)

// Downloads returns a function that shows a file's download progress on the terminal; nil if there is no terminal.
func Downloads() func(file string, done, total int64) {
	tty, err := os.OpenFile("/dev/tty", os.O_WRONLY, 0)
	if err != nil {
		return nil
	}
	return func(file string, done, total int64) {
		switch {
		case total <= 0:
			fmt.Fprintf(tty, "\r%s: %d MB\033[K", file, done/1e6)
		case done < total:
			fmt.Fprintf(tty, "\r%s: %d of %d MB\033[K", file, done/1e6, total/1e6)
		default:
			fmt.Fprint(tty, "\r\033[K")
		}
	}
}
