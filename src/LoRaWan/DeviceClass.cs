namespace LoRaWan;

/// <summary>LoRaWAN device class, with the number that The Things Stack gives it.</summary>
public enum DeviceClass
{
    /// <summary>Listens only after an uplink. The class every device starts in.</summary>
    A = 0,

    /// <summary>Listens also in ping slots timed by beacons.</summary>
    B = 1,

    /// <summary>Listens always.</summary>
    C = 2,
}
