package procnode

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
)

// claimPort is the port on which a node holds its loopback network. Any free one would do, as long as all nodes of a machine
// use the same.
const claimPort = "47110"

// loopbackOf is the loopback network with the same second octet as the pod network: "10.10." gives "127.10.".
func loopbackOf(prefix string) string {
	_, second, _ := strings.Cut(strings.TrimSuffix(prefix, "."), ".")
	return "127." + second + "."
}

// claimNetwork takes a loopback network for the processes of the pods until the claim is closed or this process ends. All
// nodes of a machine share 127.0.0.0/8, so that a second system beside the first must listen elsewhere although its pods have
// the same addresses in its API. The first choice has the pod network's own second octet. Where only single addresses of
// 127.0.0.0/8 exist, there is no other choice.
func claimNetwork(prefix string) (loopback string, claim io.Closer, err error) {
	first := loopbackOf(prefix)
	if !wholeLoopback {
		return first, io.NopCloser(nil), nil
	}
	candidates := []string{first}
	for second := 1; second < 255; second++ {
		if other := "127." + strconv.Itoa(second) + "."; other != first {
			candidates = append(candidates, other)
		}
	}
	for _, candidate := range candidates {
		l, err := net.Listen("tcp", candidate+"255.255:"+claimPort)
		if err == nil {
			return candidate, l, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return "", nil, fmt.Errorf("procnode: no loopback network for pods: %w", err)
		}
	}
	return "", nil, errors.New("procnode: every loopback network is taken by another node: stop one with `gitops local down`")
}
