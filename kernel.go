package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/internal/validation"
)

// startKernel has the jsii kernel run with the node of package.json, where that is installed and JSII_NODE names no other: the
// one on the PATH of somebody who calls the CDK CLI may be of any version, and an older one takes half as long again. It
// returns what validates templates in the CDK's place, if anything does.
//
// jsii prepares the kernel's environment before main, so what is prepared goes, and the first call into the CDK prepares
// another.
func startKernel(validate string) *validation.Plugin {
	node, err := filepath.Abs(filepath.Join("node_modules", ".bin", "node"))
	if err == nil {
		_, err = os.Stat(node)
	}
	if err == nil && os.Getenv("JSII_NODE") == "" {
		os.Setenv("JSII_NODE", node)
	}
	validator := validation.ForPerson(validate)
	jsii.Close()
	return validator
}

// closeKernel ends the jsii kernel, which removes its temporary folder. Inside jsii two goroutines wait for the same
// process, and the one that comes second prints "Runtime process exited abnormally: waitid: no child processes" on
// os.Stderr, in every other run. This drops that line and keeps all others. It is the last thing the process does:
// os.Stderr stays diverted, because the line may come late.
func closeKernel() {
	real := os.Stderr
	read, write, err := os.Pipe()
	if err != nil {
		jsii.Close()
		return
	}
	os.Stderr = write
	done := make(chan struct{})
	go func() {
		defer close(done)
		for lines := bufio.NewScanner(read); lines.Scan(); {
			if !strings.HasPrefix(lines.Text(), "Runtime process exited abnormally: waitid") {
				fmt.Fprintln(real, lines.Text())
			}
		}
	}()
	jsii.Close()
	write.Close()
	<-done
}
