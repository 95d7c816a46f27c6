package main

import (
	"fmt"
	"strings"
	"time"
)

// script returns the shell script that submits the array and, after it, the report.
func (o options) script(p plan) string {
	var b strings.Builder
	fmt.Fprintf(&b, "#!/bin/sh\nset -eu\n")
	for _, n := range p.notes {
		fmt.Fprintf(&b, "# %s\n", strings.Join(strings.Fields(n), " "))
	}
	array := []string{"--parsable", "--job-name=lorabench", fmt.Sprintf("--array=0-%d", o.parts-1), "--requeue", "--open-mode=append",
		"--time=" + clock(p.time), "--signal=B:TERM@60", "--output=" + o.out + "/slurm-%A-%a.log"}
	if p.memory > 0 {
		array = append(array, fmt.Sprintf("--mem=%dM", p.memory))
	}
	if p.gpu {
		array = append(array, "--gres=gpu:1")
	}
	array = append(array, strings.Fields(o.sbatch)...)
	task := append([]string{"exec", o.runner, "bench"}, o.bench...)
	task = append(task, fmt.Sprintf("-shard=slurm/%d", o.parts), "-out="+o.out)
	fmt.Fprintf(&b, "mkdir -p %s\n", quoted(o.out))
	fmt.Fprintf(&b, "array=$(sbatch %s \\\n\t--wrap=%s)\n", words(array), quoted(words(task)))
	fmt.Fprintf(&b, "report=$(sbatch --parsable --job-name=lorabench-report --dependency=afterany:\"${array%%%%;*}\" --time=00:30:00 %s \\\n\t--wrap=%s)\n",
		quoted("--output="+o.out+"/report.log"), quoted(words([]string{"exec", o.runner, "report", "-out=" + o.out})))
	fmt.Fprintf(&b, "echo \"array job ${array%%%%;*}, then job ${report%%%%;*} writes\" %s\n", quoted(o.out+"/report.html"))
	return b.String()
}

// clock writes a time limit as sbatch reads it, in whole minutes.
func clock(d time.Duration) string {
	minutes := int((d + time.Minute - 1) / time.Minute)
	return fmt.Sprintf("%02d:%02d:00", minutes/60, minutes%60)
}

func words(args []string) string {
	var out []string
	for _, a := range args {
		out = append(out, quoted(a))
	}
	return strings.Join(out, " ")
}

// quoted is one word for a shell.
func quoted(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-=./:,%@+") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
