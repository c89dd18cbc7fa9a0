package gateway

import (
	"errors"
	"fmt"
)

// validateTransport names the first setting below the messages that can't be used.
func (c *Config) validateTransport() error {
	for name, v := range map[string]int64{"resend_after": int64(c.ResendAfter), "resend_tries": int64(c.ResendTries), "partial_timeout": int64(c.PartialTimeout)} {
		if v <= 0 {
			return fmt.Errorf("gateway.%s: must be greater than 0", name)
		}
	}
	if _, err := c.proxies(); err != nil {
		return err
	}
	switch {
	case c.ListenTLS != "" && (c.TLS.CertFile == "" || c.TLS.KeyFile == ""):
		return errors.New("gateway.tls.cert_file: give it and gateway.tls.key_file, because gateway.listen_tls is set")
	case c.ProxyProtocol != ProxyOff && c.ProxyProtocol != ProxyOptional && c.ProxyProtocol != ProxyRequired:
		return fmt.Errorf("gateway.proxy_protocol: %q; one of off, optional, required", c.ProxyProtocol)
	case c.ProxyProtocol != ProxyOff && len(c.ProxyFrom) == 0:
		return errors.New("gateway.proxy_from: empty; name the proxies, because gateway.proxy_protocol is set: anyone else could claim any address")
	case c.MaxDatagramRate < 0:
		return errors.New("gateway.max_datagram_rate: must not be negative")
	case c.RememberTerminals < 0:
		return errors.New("gateway.remember_terminals: must not be negative")
	case c.ShutdownSpread < 0:
		return errors.New("gateway.shutdown_spread: must not be negative")
	case c.ShutdownGroups < 1:
		return errors.New("gateway.shutdown_groups: must be greater than 0")
	}
	return nil
}
