// Runs Prometheus's own Consul discovery and prints what it finds: a line of JSON for every group of targets.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/signal"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/discovery/consul"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"gopkg.in/yaml.v2"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run follows the catalogue that the YAML of a consul_sd_config names until it is interrupted.
func run(config string) error {
	var sd consul.SDConfig
	if err := yaml.UnmarshalStrict([]byte(config), &sd); err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	metrics := sd.NewDiscovererMetrics(registry, discovery.NewRefreshMetrics(registry))
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	discoverer, err := sd.NewDiscoverer(discovery.DiscovererOptions{Logger: logger, Metrics: metrics})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	groups := make(chan []*targetgroup.Group)
	go discoverer.Run(ctx, groups)
	lines := json.NewEncoder(os.Stdout)
	for {
		select {
		case <-ctx.Done():
			return nil
		case found := <-groups:
			for _, group := range found {
				line := map[string]any{"source": group.Source, "labels": group.Labels, "targets": group.Targets}
				if err := lines.Encode(line); err != nil {
					return err
				}
			}
		}
	}
}
