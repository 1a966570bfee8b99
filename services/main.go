// The cdk8s app: it renders services for one environment.
//
// `gitops service` runs it as a filter, because the tool itself must build without jsii: a JSON request on stdin, and for
// each service one line of JSON on stdout, in the order of the request. See services.RenderRequest and RenderResult.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/services/hatches"
	"k8s-plus-aws-gitops/services/service"
)

func main() {
	err := run(os.Stdin, os.Stdout)
	jsii.Close() // removes the kernel's temporary folder, if a hatch started it
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run answers one request. One service that cannot be rendered does not keep the others from being.
func run(in io.Reader, out io.Writer) error {
	var request services.RenderRequest
	if err := json.NewDecoder(in).Decode(&request); err != nil {
		return fmt.Errorf("services: the request on stdin is no JSON: %w; run it through gitops service render", err)
	}
	buffered := bufio.NewWriterSize(out, 1<<20)
	answer := json.NewEncoder(buffered)
	answer.SetEscapeHTML(false)
	for _, spec := range request.Services {
		hatch := hatches.All[spec.Name]
		manifest, err := service.Render(service.Props{Spec: spec, Cluster: request.Cluster}, hatch)
		result := services.RenderResult{Name: spec.Name, Manifest: string(manifest)}
		if err != nil {
			result.Error = err.Error()
		}
		if err := answer.Encode(result); err != nil {
			return errors.Join(err, buffered.Flush())
		}
	}
	return buffered.Flush()
}
