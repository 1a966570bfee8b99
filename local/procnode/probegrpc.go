package procnode

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// grpcClient speaks HTTP/2 without TLS and without an upgrade, as gRPC does.
var grpcClient = func() *http.Client {
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: &http.Transport{Protocols: &p, DisableKeepAlives: true}}
}()

// grpcHealth calls grpc.health.v1.Health/Check. The two messages have one field each, so they are written by hand instead of
// bringing in a gRPC library (https://github.com/grpc/grpc/blob/master/doc/health-checking.md).
func grpcHealth(ctx context.Context, addr, service string) error {
	var message []byte
	if service != "" { // field 1, a string
		message = append([]byte{0x0a}, binary.AppendUvarint(nil, uint64(len(service)))...)
		message = append(message, service...)
	}
	frame := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/grpc.health.v1.Health/Check", bytes.NewReader(append(frame, message...)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/grpc+proto")
	req.Header.Set("Te", "trailers")
	req.Header.Set("User-Agent", "kube-probe/1.36")
	resp, err := grpcClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1024))
	if err != nil {
		return err
	}
	status := resp.Trailer.Get("Grpc-Status")
	if status == "" {
		status = resp.Header.Get("Grpc-Status")
	}
	if resp.StatusCode != http.StatusOK || status != "0" {
		return fmt.Errorf("gRPC health check: HTTP %d, grpc-status %q", resp.StatusCode, status)
	}
	if !bytes.Equal(body, []byte{0, 0, 0, 0, 2, 0x08, 0x01}) { // field 1, SERVING
		return errors.New("gRPC health check: not SERVING")
	}
	return nil
}
