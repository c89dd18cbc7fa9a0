package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"lushao/internal/config"
)

// deploy/lushao.yaml shows every setting with its default: reading it changes nothing, and nothing is missing in it.
func TestExampleShowsTheDefaults(t *testing.T) {
	b := readFile(t, "../../deploy/lushao.yaml")
	c, want := DefaultConfig(), DefaultConfig()
	if err := config.Parse(&c, "deploy/lushao.yaml", b); err != nil {
		t.Fatal(err)
	}
	shown, _ := yaml.Marshal(&c)
	defaults, _ := yaml.Marshal(&want)
	if string(shown) != string(defaults) {
		t.Errorf("deploy/lushao.yaml differs from the defaults:\n%s\nwant\n%s", shown, defaults)
	}
	var in, all map[string]any
	yaml.Unmarshal(b, &in)
	yaml.Unmarshal(defaults, &all)
	var missing func(path string, want, have map[string]any)
	missing = func(path string, want, have map[string]any) {
		for k, v := range want {
			h, ok := have[k]
			if !ok {
				t.Errorf("deploy/lushao.yaml does not show %s%s", path, k)
			}
			if sub, isMap := v.(map[string]any); isMap {
				haveSub, _ := h.(map[string]any)
				missing(path+k+".", sub, haveSub)
			}
		}
	}
	missing("", all, in)
}

func TestConfigValidate(t *testing.T) {
	all := []role{roleGateway, roleDetect, roleEnforce}
	good := DefaultConfig()
	good.settle()
	if err := good.validate(all...); err != nil {
		t.Fatalf("the defaults: %v", err)
	}
	if !reflect.DeepEqual(good.Weighings.Tokens[0].File, filepath.Join("data", "secrets", "weighings")) {
		t.Errorf("token file %q", good.Weighings.Tokens[0].File)
	}
	for want, change := range map[string]func(c *Config){
		"data: empty":                         func(c *Config) { c.Data = "" },
		"log.level":                           func(c *Config) { c.Log.Level = "loud" },
		"log.format":                          func(c *Config) { c.Log.Format = "xml" },
		"http.listen":                         func(c *Config) { c.HTTP.Listen = "" },
		"topics.partitions: 0":                func(c *Config) { c.Topics.Partitions = 0 },
		"topics.replication: 0":               func(c *Config) { c.Topics.Replication = 0 },
		"stop_timeout":                        func(c *Config) { c.StopTimeout = 0 },
		"embedded.log.listen":                 func(c *Config) { c.Embedded.Log.Listen = "0.0.0.0:9092" },
		"embedded.clickhouse.max_concurrent":  func(c *Config) { c.Embedded.ClickHouse.MaxConcurrent = 0 },
		"detect.checkpoint_interval":          func(c *Config) { c.Detect.CheckpointInterval = 1 },
		"reference.poll":                      func(c *Config) { c.Reference.Poll = 1 },
		"gateway.max_connections":             func(c *Config) { c.Gateway.MaxConnections = 0 },
		"weighings.max_body":                  func(c *Config) { c.Weighings.MaxBody = 0 },
		"store.database":                      func(c *Config) { c.Store.Database = "a b" },
		"sink.archive.max_rows":               func(c *Config) { c.Sink.Archive.MaxRows = 0 },
		"api.tokens: empty, and 0.0.0.0:8080": func(c *Config) { c.HTTP.Listen = "0.0.0.0:8080" },
	} {
		c := DefaultConfig()
		c.settle()
		change(&c)
		if err := c.validate(all...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	if err := good.validate(roleDetect); err == nil || !strings.Contains(err.Error(), "bus.brokers") {
		t.Errorf("a role of its own without brokers: %v", err)
	}
}

func TestExitStatus(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	stderr, stdout := os.Stderr, os.Stdout
	os.Stderr, os.Stdout = null, null
	defer func() { os.Stderr, os.Stdout = stderr, stdout }()
	for args, want := range map[string]int{
		"version":                             0,
		"--help":                              0,
		"nonsense":                            2,
		"up --nonsense":                       2,
		"up extra":                            2,
		"replay":                              2,
		"replay x":                            2,
		"replay --reference /none x":          1,
		"replay --reference . --at-end now x": 2,
		"decode --protocol 807":               2,
		"decode --edition 2012":               2,
		"tail":                                2,
		"tail events":                         2,
		"check --config /none":                1,
		"sim --protocol 1":                    2,
		"sim --faults nonsense=1":             2,
		"sim --faults half=2":                 2,
		"sim --vehicles 0":                    2,
	} {
		if got := run(t.Context(), strings.Fields(args)); got != want {
			t.Errorf("lushao %s: status %d, want %d", args, got, want)
		}
	}
}
