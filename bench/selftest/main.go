// Command selftest tells whether the rank is wired: on the model and with the adapters that the benchmark
// would train, it checks what must hold for every rank.
//
//	go run ./bench/selftest -ranks=8,128,256
//
// It takes the benchmark's own flags. Its exit status is 0 where all checks hold, 1 where one does not or
// cannot be made, 2 for a flag it does not know.
package main

import (
	"os"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }
