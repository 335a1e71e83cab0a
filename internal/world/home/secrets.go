package home

import "encoding/hex"

// Secrets are the texts that must never show in what people or logs are told.
func (h *Home) Secrets() []string {
	out := []string{hex.EncodeToString(networkKey[:]), numbers(networkKey[:])}
	if h.login.Password != "" {
		out = append(out, h.login.Password)
	}
	return out
}
