package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lorabench/bench/record"
	"lorabench/internal/process"
	"lorabench/internal/root"
	"lorabench/internal/shard"
)

// slurmVariable is set where the machine may be given a Slurm: the test then fails for want of one instead of skipping.
const slurmVariable = "LORABENCH_SLURM"

// cluster is a Slurm of one node, this machine, in a folder of its own.
type cluster struct {
	t   *testing.T
	dir string
	env []string
}

// startSlurm starts munged, slurmctld and slurmd, and stops them when the test ends.
func startSlurm(t *testing.T) *cluster {
	if os.Getenv(slurmVariable) == "" {
		t.Skipf("skipped: %s is not set; with it this starts Debian's slurmctld, slurmd and munge, as root", slurmVariable)
	}
	dir, err := os.MkdirTemp("", "lorabench-slurm-") // munged wants every user to reach its socket, which t.TempDir does not allow
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	c := &cluster{t: t, dir: dir}
	host, err := os.Hostname()
	require.NoError(t, err)
	for _, d := range []string{"state", "spool", "munge"} {
		require.NoError(t, os.Mkdir(filepath.Join(c.dir, d), 0o755))
	}
	require.NoError(t, os.WriteFile(filepath.Join(c.dir, "munge/key"), bytes.Repeat([]byte("k"), 128), 0o600))
	conf := fmt.Sprintf(`ClusterName=lorabench
SlurmctldHost=%[1]s(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=%[2]s/munge/socket
StateSaveLocation=%[2]s/state
SlurmdSpoolDir=%[2]s/spool
SlurmctldPort=%[3]d
SlurmdPort=%[4]d
SlurmctldPidFile=%[2]s/slurmctld.pid
SlurmdPidFile=%[2]s/slurmd.pid
SlurmctldLogFile=%[2]s/slurmctld.log
SlurmdLogFile=%[2]s/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=2,bf_interval=2
KillWait=5
ReturnToService=2
NodeName=%[1]s NodeAddr=127.0.0.1 CPUs=%[5]d RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
`, host, c.dir, freePort(t), freePort(t), runtime.NumCPU())
	require.NoError(t, os.WriteFile(filepath.Join(c.dir, "slurm.conf"), []byte(conf), 0o644))
	c.env = append(os.Environ(), "SLURM_CONF="+filepath.Join(c.dir, "slurm.conf"))
	c.daemon("munged", "--foreground", "--socket="+c.dir+"/munge/socket", "--key-file="+c.dir+"/munge/key", "--pid-file="+c.dir+"/munge/pid",
		"--log-file="+c.dir+"/munge/log", "--seed-file="+c.dir+"/munge/seed")
	c.until("munged listens", 5*time.Second, func() bool { _, err := os.Stat(c.dir + "/munge/socket"); return err == nil })
	c.daemon("slurmctld", "-D", "-c")
	c.daemon("slurmd", "-D", "-N", host)
	c.until("the node is idle", time.Minute, func() bool {
		out, _ := c.command("sinfo", "-h", "-o", "%T")
		return strings.TrimSpace(out) == "idle"
	})
	return c
}

func freePort(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// daemon starts a program that runs until the test ends.
func (c *cluster) daemon(name string, args ...string) {
	cmd := exec.Command(name, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Env, cmd.SysProcAttr = c.env, &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	require.NoError(c.t, cmd.Start(), "apt-get install slurmctld slurmd slurm-client munge")
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	c.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			<-ended
		}
		if c.t.Failed() {
			log, _ := os.ReadFile(filepath.Join(c.dir, name+".log"))
			c.t.Logf("%s: %s ...%s", name, out.String(), log[max(0, len(log)-2000):])
		}
	})
}

func (c *cluster) command(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = c.env
	b, err := cmd.CombinedOutput()
	return string(b), err
}

func (c *cluster) until(what string, limit time.Duration, done func() bool) {
	c.t.Helper()
	for end := time.Now().Add(limit); !done(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			queue, _ := c.command("squeue", "-a")
			nodes, _ := c.command("scontrol", "show", "node")
			require.Fail(c.t, "waited too long until "+what, "%s\n%s", queue, nodes)
		}
	}
}

// bundleOf makes a bundle's layout of what this test needs: run, the benchmark, the report, and the repository's model and data.
func bundleOf(t *testing.T) string {
	top, err := root.Dir()
	require.NoError(t, err)
	dir := t.TempDir()
	for _, d := range []string{"bench", "bin", "internal/torch"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, d), 0o777))
	}
	require.NoError(t, os.Symlink(filepath.Join(top, "testdata"), filepath.Join(dir, "testdata")))
	require.NoError(t, os.Symlink(filepath.Join(top, "internal/torch/link"), filepath.Join(dir, "internal/torch/link")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, root.ManifestName), []byte(`{"commit": "abc"}`), 0o666))
	script, err := os.ReadFile(filepath.Join(top, "internal/bundle/run.sh"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "run"), script, 0o777))
	binary, err := process.Benchmark(t.Context(), top, filepath.Join(dir, "bench"))
	require.NoError(t, err)
	require.NoError(t, os.Rename(binary, filepath.Join(dir, "bench/bench.test")))
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "bin/lorareport"), "./bench/report/lorareport")
	build.Dir = top
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	torch, err := filepath.EvalSymlinks(filepath.Join(top, "internal/torch/link/libtorch"))
	require.NoError(t, err)
	t.Setenv("LIBTORCH", torch)
	t.Setenv("OMP_NUM_THREADS", "1")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	return dir
}

// TestSlurm trains three ranks with four seeds as an array job of four tasks, one of which is killed half-way and queued again: the records
// are, bit by bit in their losses, those of one process, and the report is written after the last.
func TestSlurm(t *testing.T) {
	c := startSlurm(t)
	bundle := bundleOf(t)
	c.env = append(c.env, "LIBTORCH="+os.Getenv("LIBTORCH"), "OMP_NUM_THREADS=1", "XDG_CACHE_HOME="+os.Getenv("XDG_CACHE_HOME"))
	single, out := t.TempDir(), filepath.Join(t.TempDir(), "study")
	runner := filepath.Join(bundle, "run")
	study := []string{"-ranks=2,8,full", "-lr=1e-3", "-benchtime=200x", "-count=4", "-device=cpu", "-model=testdata/small",
		"-data=testdata/small/train.jsonl.gz", "-limit=200", "-eval=20", "-batch=2", "-accum=1", "-save-steps=20"}
	printed, err := c.command(runner, append(append([]string{"bench"}, study...), "-out="+single)...)
	require.NoError(t, err, printed)

	var script, stderr bytes.Buffer
	require.Equal(t, 0, run(t.Context(), append(study, "-measured="+single, "-run="+runner, "-out="+out, "-sbatch=--cpus-per-task=1"), &script, &stderr), stderr.String())
	sh := exec.Command("sh")
	sh.Env, sh.Stdin = c.env, &script
	submitted, err := sh.CombinedOutput()
	require.NoError(t, err, string(submitted))
	var array, report int
	_, err = fmt.Sscanf(string(submitted), "array job %d, then job %d", &array, &report)
	require.NoError(t, err, string(submitted))

	victim := filepath.Join(out, shard.Part{I: 1, N: 4}.Folder())
	c.until("a task has a run behind it", 2*time.Minute, func() bool {
		done, _ := filepath.Glob(filepath.Join(victim, "*seed=*.json"))
		return len(done) > 0
	})
	task := fmt.Sprintf("%d_1", array)
	said, err := c.command("scontrol", "requeue", task)
	require.NoError(t, err, said)
	_, _ = c.command("scontrol", "update", "JobId="+task, "StartTime=now") // Slurm holds it back for two minutes
	c.until("the report is written", 4*time.Minute, func() bool {
		_, _ = c.command("scontrol", "update", "JobId="+task, "StartTime=now")
		left, _ := c.command("squeue", "-h")
		return strings.TrimSpace(left) == ""
	})
	log, err := os.ReadFile(filepath.Join(out, "report.log"))
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(out, "report.html"), string(log))
	again, err := os.ReadFile(filepath.Join(out, fmt.Sprintf("slurm-%d-1.log", array)))
	require.NoError(t, err)
	require.Contains(t, string(again), "goes on: runs that are whole are kept")

	want, err := record.ReadDir(single)
	require.NoError(t, err)
	got, notes, err := shard.Merge([]string{out})
	require.NoError(t, err)
	require.Empty(t, notes)
	require.Len(t, got, 12)
	for i := range want {
		require.Equal(t, want[i].FileName(), got[i].FileName())
		require.Equal(t, want[i].Steps, got[i].Steps, want[i].FileName())
		require.Equal(t, want[i].EvalLoss, got[i].EvalLoss)
	}
}
