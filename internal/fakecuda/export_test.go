package fakecuda

import "path/filepath"

// Compile builds a program that calls the libraries in dir.
func Compile(dir, source, program string) error {
	s, err := readSetup()
	if err != nil {
		return err
	}
	compiler, err := findCompiler()
	if err != nil {
		return err
	}
	args := []string{"-std=c++17", "-pthread", "-Wl,--no-as-needed", source, "-o", program}
	for _, include := range s.Headers {
		args = append(args, "-isystem", include)
	}
	for _, name := range []string{"libcudart.so*", "libcublas.so*", "libcudnn.so*"} {
		libs, err := filepath.Glob(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		args = append(args, libs...)
	}
	return run(compiler.path, args...)
}
