package port

// USB is what a stick says about itself on the bus. The serial number is the only thing
// that tells two sticks of one kind apart, and not all have one of their own.
type USB struct {
	VendorID     string `json:"vendor_id,omitempty"`  // 4 hex digits, such as 10c4
	ProductID    string `json:"product_id,omitempty"` // 4 hex digits, such as ea60
	Manufacturer string `json:"manufacturer,omitempty"`
	Product      string `json:"product,omitempty"`
	Serial       string `json:"serial,omitempty"`
}

// Describe tells which USB device is behind path, without opening it. It returns false
// for what is no USB device, such as a pseudo terminal or a network address.
func Describe(path string) (USB, bool) {
	if IsNetwork(path) {
		return USB{}, false
	}
	return describe(path)
}
