namespace LoRaWan;

/// <summary>Placeholder replaced by the vocabulary.</summary>
internal static class Placeholder;
