package znp

// Mask and MaskAnswer let tests look at what a trace would see.
var (
	Mask          = mask
	MidFramePause = midFramePause
)
