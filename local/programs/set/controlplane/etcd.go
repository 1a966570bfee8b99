package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"syscall"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"
)

// etcdStart is how long etcd may take to replay its log and become ready.
const etcdStart = 5 * time.Minute

// startEtcd starts a single-member etcd on loopback. Both of its ports ask for a client certificate of
// etcd's own authority: etcd holds every Secret, and other users of the machine can reach loopback.
func startEtcd(ctx context.Context, o options) (*embed.Etcd, error) {
	c := embed.NewConfig()
	c.Name = "local"
	c.Dir = o.path("etcd")
	c.LogLevel = "warn"
	client, peer := loopback(o.etcd), loopback(o.etcdPeer)
	c.ListenClientUrls, c.AdvertiseClientUrls = client, client
	c.ListenPeerUrls, c.AdvertisePeerUrls = peer, peer
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	tls := func(name string) transport.TLSInfo {
		return transport.TLSInfo{
			CertFile:       o.path("pki", "etcd", name+".crt"),
			KeyFile:        o.path("pki", "etcd", name+".key"),
			TrustedCAFile:  o.path("pki", "etcd", "ca.crt"),
			ClientCertAuth: true,
		}
	}
	c.ClientTLSInfo, c.PeerTLSInfo = tls("server"), tls("peer")
	// Writes reach the page cache, which outlives the process (kill -9 loses nothing), but are not forced to
	// the disk, so only a crash of the machine can lose the last seconds. What a local cluster holds comes
	// from Git and the templates, and fsync would be most of the time of every write.
	c.UnsafeNoFsync = true
	// Embedded etcd leaves this at zero, and then logs every request as a slow one.
	c.WarningUnaryRequestDuration = embed.DefaultWarningUnaryRequestDuration
	e, err := embed.StartEtcd(c)
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Errorf("start etcd: %w: another process has the port, choose another with --etcd-port or --etcd-peer-port", err)
		}
		return nil, fmt.Errorf("start etcd in %s: %w", c.Dir, err)
	}
	select {
	case <-e.Server.ReadyNotify():
		return e, nil
	case err := <-e.Err():
		e.Close()
		return nil, fmt.Errorf("start etcd in %s: %w", c.Dir, err)
	case <-ctx.Done():
		e.Close()
		return nil, ctx.Err()
	case <-time.After(etcdStart):
		e.Close()
		return nil, fmt.Errorf("start etcd in %s: not ready after %s", c.Dir, etcdStart)
	}
}

func loopback(port int) []url.URL {
	return []url.URL{{Scheme: "https", Host: fmt.Sprintf("127.0.0.1:%d", port)}}
}
