package progress

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

const childVariable = "LORABENCH_PROGRESS_CHILD"

// TestMain is, where the variable says so, a program that shows a bar and prints a result.
func TestMain(m *testing.M) {
	if os.Getenv(childVariable) == "" {
		os.Exit(m.Run())
	}
	b := Open("rank=8", 42, 2)
	b.Step(1.5)
	b.Step(1.25)
	b.Close()
	fmt.Println("the result line, bar:", b != nil)
}

// pty is a new terminal of 100 columns: where its user types and looks, and the side of a program.
func pty(t *testing.T) (user, program *os.File) {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no terminal can be made here: %v", err)
	}
	t.Cleanup(func() { user.Close() })
	fd := int(user.Fd())
	require.NoError(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetUint32(fd, unix.TIOCGPTN)
	require.NoError(t, err)
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminal can be made here: %v", err)
	}
	t.Cleanup(func() { program.Close() })
	require.NoError(t, unix.IoctlSetWinsize(int(program.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 100}))
	return user, program
}

func child(t *testing.T) (cmd *exec.Cmd, out *bytes.Buffer) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd, out = exec.Command(self), &bytes.Buffer{}
	cmd.Env = append(os.Environ(), childVariable+"=1")
	cmd.Stdout, cmd.Stderr = out, out
	return cmd, out
}

func TestOpenDrawsOnTheTerminal(t *testing.T) {
	user, program := pty(t)
	cmd, out := child(t)
	cmd.Stdin = program
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	require.NoError(t, cmd.Start())
	screen := make(chan []byte)
	go func() {
		b, _ := io.ReadAll(user) // ends with EIO when the last program has closed the terminal
		screen <- b
	}()
	err := cmd.Wait()
	require.NoError(t, program.Close())
	drawn := string(<-screen)
	require.NoError(t, err, out)
	require.Equal(t, "the result line, bar: true\n", out.String(), "stdout and stderr are the results'")
	require.Contains(t, drawn, "rank=8 seed 42  2/2 [")
	require.Contains(t, drawn, "loss 1.2500")
	require.Contains(t, drawn, "\x1b[1A\x1b[J", "the bar is gone in the end")
}

func TestOpenIsNilWithoutATerminal(t *testing.T) {
	cmd, out := child(t)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no controlling terminal: as in CI
	require.NoError(t, cmd.Run())
	require.Equal(t, "the result line, bar: false\n", out.String())
}
