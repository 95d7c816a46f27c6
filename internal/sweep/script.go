package main

import (
	"fmt"
	"slices"
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
	report := append([]string{"--time=00:30:00", "--output=" + o.out + "/report.log"}, o.whose()...)
	fmt.Fprintf(&b, "report=$(sbatch --parsable --job-name=lorabench-report --dependency=afterany:\"${array%%%%;*}\" %s \\\n\t--wrap=%s) ||\n"+
		"\t{ echo \"array job ${array%%%%;*} is submitted, its report is not\" >&2; exit 1; }\n",
		words(report), quoted(words([]string{"exec", o.runner, "report", "-out=" + o.out})))
	fmt.Fprintf(&b, "echo \"array job ${array%%%%;*}, then job ${report%%%%;*} writes\" %s\n", quoted(o.out+"/report.html"))
	return b.String()
}

// whose returns those of -sbatch's options that say whose the job is and where it may run, for the report too: it needs no GPU.
func (o options) whose() []string {
	return slices.DeleteFunc(strings.Fields(o.sbatch), func(f string) bool {
		name, _, _ := strings.Cut(f, "=")
		return !slices.Contains([]string{"--account", "--partition", "--qos", "--reservation", "--clusters"}, name)
	})
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
